-- SPDX-License-Identifier: ISC
-- logtriga: the triggers of PgQ 2, declared by who wants them.
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
create function pgq.logtriga() returns trigger as '$libdir/pgq', 'pgq_logtriga' language c;
create table t (a int, b text, c text, d text);
create function set_trigger(variadic args text[]) returns void language plpgsql as $$
begin
    drop trigger if exists log on t;
    execute format('create trigger log after insert or update or delete on t for each row execute function pgq.logtriga(%s)',
                   (select string_agg(quote_literal(arg), ', ') from unnest(args) arg));
end;
$$;
set client_min_messages = warning;
-- Rule: k is a key, v a value, i and columns without a letter are ignored.
select set_trigger('q', 'kvi');
insert into t values (1, 'b', 'c', 'd');
update t set b = 'x';
update t set c = 'y', d = 'z';
update t set b = b;
update t set a = 2;
delete from t;
-- Rule: letters are for columns that live.
alter table t drop column b;
insert into t values (1, 'c', 'd');
update t set c = 'x';
update t set d = 'x';
-- Rule: the third argument has no effect.
select set_trigger('q', 'ikv', 'other.table');
update t set d = 'y' where a = 1;
update t set c = 'y' where a = 1;
select * from log;
truncate pgq.event_1_0;
-- Rule: without a key, or with one that is not there, it is refused.
select set_trigger('q', 'vv');
insert into t values (1);
select set_trigger('q', '');
insert into t values (1);
select set_trigger('q', 'vkikk');
insert into t values (1);
select set_trigger('q', 'kx');
insert into t values (1);
select set_trigger('q');
insert into t values (1);
select set_trigger('q', 'k', 'a', 'b');
insert into t values (1);
drop trigger log on t;
create trigger log before insert on t for each row execute function pgq.logtriga('q', 'k');
insert into t values (1);
drop trigger log on t;
select pgq.logtriga();
select count(*) from log;

-- logtriga(kinds, query): no queue, a query.
create function logtriga() returns trigger as '$libdir/pgq', 'logtriga' language c;
create table target (n serial, op text, data text);
create trigger log after insert or update or delete on t for each row
    execute function logtriga('kiv', 'insert into work.target (op, data) values ($1, $2)');
insert into t values (10, 'c', 'it''s'), (11, 'c', 'd');
update t set d = 'e' where a = 10;
update t set c = 'e' where a = 10;
delete from t where a = 11;
table target;
-- Rule: statement level and the query.
drop trigger log on t;
create trigger log after delete on t referencing old table as o for each statement
    execute function logtriga('kv', 'select set_config(''work.last'', $1 || $2, false)');
delete from t;
select current_setting('work.last');
drop trigger log on t;
create trigger log after insert on t for each row execute function logtriga('kv');
insert into t values (1);
drop trigger log on t;
create trigger log after insert on t for each row execute function logtriga('kv', 'select nonsense');
insert into t values (1);
drop function pgq.logtriga() cascade;
