-- SPDX-License-Identifier: ISC
-- Triggers FOR EACH STATEMENT: how the events are written.
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
set client_min_messages = warning;
create table t (id int primary key, v text);
create function set_trigger(variadic options text[] default '{}') returns void language plpgsql as $$
begin
    drop trigger if exists log on t;
    execute format('create trigger log after insert on t referencing new table as n for each statement execute function pgq.logutriga(%s)',
                   (select string_agg(quote_literal(x), ', ') from unnest('{q}' || options) x));
end;
$$;
-- Rule: ids are in the order of the changes, and of what functions write in between.
create function note(id int) returns int language plpgsql as $$
begin
    perform pgq.insert_event('q', 'note', id::text);
    return id;
end;
$$;
select set_trigger('ev_type=id', 'ev_extra2=note(id)');
insert into t select generate_series(1, 3);
select ev_id - min(ev_id) over () as id, ev_type, ev_data from pgq.event_template order by ev_id;
truncate t, pgq.event_1_0;

-- Rule: nothing in local role.
select set_trigger();
set session_replication_role = local;
insert into t values (3);
reset session_replication_role;
-- Rule: what the queue refuses is refused.
update pgq.queue set queue_disable_insert = true;
insert into t select 4 where false;
insert into t values (4);
update pgq.queue set queue_disable_insert = false, queue_per_tx_limit = 2;
insert into t values (4), (5), (6);
insert into t values (4), (5);
update pgq.queue set queue_per_tx_limit = null;
drop trigger log on t;
create trigger log after insert on t referencing new table as n for each statement execute function pgq.logutriga('nowhere');
insert into t select 7 where false;
insert into t values (7);
select ev_data from log;
truncate t, pgq.event_1_0;
select set_trigger();

-- Rule: what is rolled back makes no event, what a savepoint keeps does.
begin;
savepoint s;
insert into t values (10);
rollback to s;
insert into t values (11);
commit;
-- Rule: statements that triggers run have their events first.
create function more() returns trigger language plpgsql as $$
begin
    if new.id < 100 then
        insert into t values (new.id + 100);
    end if;
    return null;
end;
$$;
create trigger more after insert on t for each row execute function more();
insert into t values (12), (13);
drop trigger more on t;
select ev_data from log;
truncate pgq.event_1_0;
-- Rule: cascades of foreign keys, COPY and two statements in one are statements too.
create table child (id int primary key, t int references t on delete cascade on update cascade);
create trigger log after delete on child referencing old table as o for each statement execute function pgq.logutriga('q');
create trigger log_insert after insert on child referencing new table as n for each statement
    execute function pgq.logutriga('q', 'ev_extra2=t');
copy child from stdin;
1	11
2	11
3	\N
\.
delete from t where id = 11;
with a as (insert into t values (21)) insert into child values (4);
select ev_type, ev_data, ev_extra1, ev_extra2 from log;
truncate pgq.event_1_0;
-- Rule: other triggers that read the same rows do not disturb, nor are they disturbed.
create function read_rows() returns trigger language plpgsql as $$
begin
    raise warning '%: %', tg_name, (select string_agg(id::text, ' ' order by id) from n);
    return null;
end;
$$;
create trigger a after insert on t referencing new table as n for each statement execute function read_rows();
create trigger z after insert on t referencing new table as n for each statement execute function read_rows();
create trigger y after insert on t referencing new table as n for each statement execute function pgq.jsontriga('q');
insert into t values (22), (23);
drop trigger a on t;
drop trigger z on t;
drop trigger y on t;
select ev_data from log;
truncate pgq.event_1_0;

-- Rule: where pgq.insert_event was replaced, it is called for each row.
begin;
create or replace function pgq.insert_event(
    queue_name text, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns bigint as $$ begin raise warning 'mine: % % %', queue_name, ev_type, ev_data; return 1; end $$ language plpgsql;
insert into t values (30), (31);
rollback;
select count(*) from log;
-- Rule: an event table that is not as we make it is written to by INSERT.
alter table pgq.event_1_0 add check (ev_data <> 'id=31&v');
insert into t values (30);
\set VERBOSITY terse
insert into t values (32), (31);
\set VERBOSITY default
alter table pgq.event_1_0 drop constraint event_1_0_ev_data_check;
select ev_data from log;
truncate t, child, pgq.event_1_0;

-- Rule: many rows, in more than one write; also with values that are stored out of line.
insert into t select i, case when i % 100 = 0 then string_agg(md5(i * x || ''), '') else 'v' end
  from generate_series(1, 2500) i, generate_series(1, 200) x group by i order by i;
select count(*), count(distinct ev_id), max(length(ev_data)) > 6000 from pgq.event_1_0;
select count(*)
  from (select ev_data, row_number() over (order by ev_id) as id from pgq.event_1_0) e join t using (id)
 where ev_data = 'id=' || id || '&v=' || v;
-- Rule: readers find them all, by txid.
select pgq.register_consumer_at('q', 'c', 1);
update pgq.queue set queue_ticker_max_lag = '0';
select pgq.ticker('q') is not null;
set enable_seqscan = off;
select count(*), count(distinct ev_data) from pgq.get_batch_events(pgq.next_batch('q', 'c'));
reset enable_seqscan;

-- Rule: rights are the caller's: to execute pgq.insert_event is enough, and needed.
create role pgq_test_writer;
grant insert on t to pgq_test_writer;
set role pgq_test_writer;
insert into t values (10001);
reset role;
grant pgq_writer to pgq_test_writer;
set role pgq_test_writer;
insert into t values (10001);
reset role;
-- Rule: expressions have no more rights than the caller.
create table secret (s text);
select set_trigger('ev_extra2=current_user');
truncate pgq.event_1_0;
set role pgq_test_writer;
insert into t values (10002);
reset role;
select ev_extra2 from log;
select set_trigger('ev_extra2=(select s from work.secret)');
insert into t values (10003);
set role pgq_test_writer;
insert into t values (10004);
reset role;
drop schema work cascade;
drop role pgq_test_writer;
