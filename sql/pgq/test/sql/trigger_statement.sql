-- SPDX-License-Identifier: ISC
-- Triggers FOR EACH STATEMENT: the same events as those of row triggers.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

select pgq.create_queue('q');
create view log as
    select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from pgq.event_template order by ev_id;
-- All three kinds of triggers for all three operations, FOR EACH ROW or FOR EACH STATEMENT.
create function set_triggers(rel regclass, level text, variadic options text[] default '{}') returns void
language plpgsql as $$
declare
    fn text;
    op text;
    ops text[] := '{insert, update, delete}';
    tables text[] := '{referencing new table as n, referencing old table as o new table as n, referencing old table as o}';
    args text := (select string_agg(quote_literal(x), ', ') from unnest('{q}' || options) x);
begin
    foreach fn in array array['logutriga', 'sqltriga', 'jsontriga'] loop
        foreach op in array ops loop
            execute format('drop trigger if exists %I on %s', fn || op, rel);
            execute format('create trigger %I after %s on %s %s for each %s execute function pgq.%I(%s)', fn || op, op, rel,
                           case when level = 'statement' then tables[array_position(ops, op)] end, level, fn, args);
        end loop;
    end loop;
end;
$$;
create table by_row (n bigserial, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text);
create function keep_row_events() returns void language plpgsql as $$
begin
    truncate by_row;
    insert into by_row (ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3)
    select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from pgq.event_1_0 order by ev_id;
    truncate pgq.event_1_0;
end;
$$;
-- What differs; events of one operation and one kind must be in the same order.
create function differences() returns table (which text, place bigint, ev_type text, ev_data text, ev_extra1 text,
                                             ev_extra2 text, ev_extra3 text) language sql as $$
    with r as (select row_number() over (partition by ev_type order by n) as place, * from by_row),
         s as (select row_number() over (partition by ev_type order by ev_id) as place, * from pgq.event_1_0)
    (select 'row only', place, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from r
     except select 'row only', place, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from s)
    union all
    (select 'statement only', place, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from s
     except select 'statement only', place, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from r)
$$;
set client_min_messages = warning;

-- Rule: the same events as those of row triggers, for any statement.
create table t (id int primary key, v text, gone int, n numeric, g int generated always as (id * 2) stored, big text);
alter table t drop column gone, alter column big set storage external;
create function changes() returns void language plpgsql as $$
begin
    insert into t (id, v, n) select i, 'v ' || i, i / 2.0 from generate_series(1, 5) i;
    insert into t values (10, null, null), (11, '''\', 1.50);
    insert into t (id, big) values (12, repeat('x%y', 3000));
    update t set v = v || '!' where id < 4;
    update t set n = n where id = 4;
    update t set n = 0.50 where id = 1;
    update t set v = 'changed' where id = 12;
    update t set big = big || '!', v = null where id = 12;
    insert into t (id, v) values (1, 'x'), (20, 'y') on conflict (id) do update set v = 'conflict ' || excluded.v;
    insert into t (id, v) values (1, 'x'), (21, 'y') on conflict do nothing;
    with d as (delete from t where id = 21 returning *) insert into t (id, v) select 30, v from d;
    delete from t where id < 3;
    delete from t where id = 12;
    delete from t where id = 1000;
    update t set v = 'none' where id = 1000;
    insert into t (id) select 1000 where false;
    delete from t;
end;
$$;
select set_triggers('t', 'row');
select changes(), keep_row_events();
select count(*) from by_row;
select set_triggers('t', 'statement');
select changes();
select count(*) from pgq.event_1_0;
select * from differences();
select ev_type, left(ev_data, 70) as ev_data, ev_extra1 from log where ev_type ~ '^.:';
truncate pgq.event_1_0;

-- Rule: so with every option.
select set_triggers('t', 'row', 'ignore=v', 'backup', 'when=id <> 3', 'ev_extra3=upper(v) || n', 'pkey=id,g');
select changes(), keep_row_events();
select count(*) from by_row;
select set_triggers('t', 'statement', 'ignore=v', 'backup', 'when=id <> 3', 'ev_extra3=upper(v) || n', 'pkey=id,g');
select changes();
select * from differences();
truncate pgq.event_1_0;
-- Rule: magic columns too.
create table m (id int primary key, _pgq_ev_type text, v int, _pgq_ev_extra2 text);
select set_triggers('m', 'statement');
insert into m values (1, 'T', 5, 'two'), (2, null, null, null);
update m set v = 6 where id = 1;
delete from m;
select * from log;
drop table m;
truncate pgq.event_1_0;

-- Rule: a key must not change, options are checked, deny denies: as for rows, and only if there is a row.
select set_triggers('t', 'statement');
insert into t (id) values (1), (2);
update t set id = id + 10;
select set_triggers('t', 'statement', 'ignore=id,v,n');
update t set id = id + 10;
update t set n = 5, id = 3 where id = 2;
select set_triggers('t', 'statement', 'pkey=none');
update t set v = 'x';
select set_triggers('t', 'statement', 'pkey=');
update t set v = 'x';
delete from t;
update t set v = 'x' where id = 1000;
select set_triggers('t', 'statement', 'SKIP');
update t set v = 'x';
select set_triggers('t', 'statement', 'when=v');
update t set v = 'x';
select set_triggers('t', 'statement', 'deny');
update t set v = 'x';
update t set v = 'x' where id = 1000;
select ev_type, ev_data from log;
drop table t;
truncate pgq.event_1_0;
-- Rule: without the changed rows it can only deny.
create table t (id int primary key, v text);
insert into t values (1);
create trigger bad after insert on t for each statement execute function pgq.logutriga('q');
insert into t values (2);
drop trigger bad on t;
create trigger bad after update on t referencing new table as n for each statement execute function pgq.logutriga('q');
update t set v = 'x';
drop trigger bad on t;
create trigger bad after update on t referencing old table as o for each statement execute function pgq.logutriga('q');
update t set v = 'x';
drop trigger bad on t;
create trigger bad before delete on t for each statement execute function pgq.logutriga('q');
delete from t;
drop trigger bad on t;
create trigger denied before insert or update or delete on t for each statement execute function pgq.logutriga('q', 'deny');
insert into t values (2);
update t set v = 'x';
delete from t where false;
drop trigger denied on t;

-- Rule: of a partitioned table, the rows of all partitions, as rows of that table.
create table p (id int primary key, v text) partition by range (id);
create table p1 partition of p for values from (0) to (10);
create table p2 (gone int, v text, id int not null);
alter table p2 drop column gone;
alter table p attach partition p2 for values from (10) to (20);
select set_triggers('p', 'statement');
insert into p values (1, 'a'), (11, 'b');
update p set v = v || '!';
delete from p;
select ev_type, ev_data, ev_extra1 from log;
truncate pgq.event_1_0;
-- Rule: rows that move to another partition, and are dropped there, are deleted.
create table mv (id int, part int, v text) partition by list (part);
create table mv1 partition of mv for values in (1);
create table mv2 partition of mv for values in (2);
create function drop_row() returns trigger language plpgsql as
    'begin return case when new.v = ''drop'' then null else new end; end';
create trigger drop_row before insert on mv2 for each row execute function drop_row();
create trigger log after update on mv referencing old table as o new table as n for each statement
    execute function pgq.logutriga('q', 'pkey=id');
insert into mv values (1, 1, 'keep'), (2, 1, 'drop'), (3, 1, 'keep'), (4, 1, 'drop'), (5, 2, 'stay');
update mv set part = 2;
select ev_type, ev_data from log;
select id, part, v from mv order by id;
truncate pgq.event_1_0;
-- Rule: so is one at the end; where keys change too, it cannot be told which is which.
insert into mv values (6, 1, 'keep'), (7, 1, 'drop');
update mv set part = 2 where id > 5;
select ev_type, ev_data from log;
insert into mv values (8, 1, 'keep'), (9, 1, 'drop');
update mv set part = 2, id = id + 10 where id > 7;

-- Rule: with pkey_update each row whose key has changed is deleted and inserted, others are updated.
create table k (id int primary key, v text);
select set_triggers('k', 'statement', 'pkey_update', 'backup');
insert into k values (1, 'a'), (2, 'b'), (3, 'c');
truncate pgq.event_1_0;
update k set id = case id when 2 then 20 else id end, v = v || '!';
select ev_type, ev_data, ev_extra2 from log;
