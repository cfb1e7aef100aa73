-- SPDX-License-Identifier: ISC
-- Producers: raw events, bulk, tables that are not plain, functions replaced, transactions that may not write.
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
-- Rule: what is given is taken, what is NULL is filled in; the sequence moves on every time.
select pgq.insert_event_raw('q', 100, '2020-01-01 00:00+00', 7, 3, 't', 'd', '1', '2', '3', '4');
select pgq.insert_event_raw('q', null, null, null, null, null, null, null, null, null, null);
select ev_id, ev_time at time zone 'utc' = '2020-01-01 00:00' as old, ev_owner, ev_retry, ev_type, ev_data, ev_extra1,
       ev_extra4, ev_time is not null as has_time
  from pgq.event_template order by ev_id;
select pgq.insert_event_raw(null, null, null, null, null, 't', 'd', null, null, null, null);
select pgq.insert_event_raw('none', null, null, null, null, 't', 'd', null, null, null, null);
-- Rule: ev_time is the start of the transaction, ev_txid its number.
begin;
select pgq.insert_event('q', 'now', '');
select ev_time = now() as now, ev_txid = txid_current() as txid from pgq.event_template where ev_type = 'now';
commit;
-- Rule: errors are clear.
select pgq.insert_event('none', 't', 'd');
select pgq.insert_event(null, 't', 'd');
select pgq.insert_event(null, 't', 'd', null, null, null, null);
select pgq.current_event_table(null);
select pgq.current_event_table('none');
\set VERBOSITY sqlstate
select pgq.insert_event('none', 't', 'd');
select pgq.insert_event(null, 't', 'd');
\set VERBOSITY default
begin read only;
select pgq.insert_event('q', 't', 'd');
rollback;
begin read only;
select pgq.current_event_table('q');
rollback;

-- Rule: bulk: INSERT and COPY with defaults for id and txid.
begin;
select pgq.current_event_table('q') as table \gset
insert into :table (ev_time, ev_type, ev_data) values (now(), 'bulk', 'insert');
copy pgq.event_1_0 (ev_time, ev_type, ev_data, ev_extra1) from stdin;
2020-01-01 00:00+00	bulk	copy	x
\.
commit;
select ev_id, ev_data, ev_extra1, ev_txid is not null as txid from pgq.event_template where ev_type = 'bulk' order by 1;

-- Rule: long values, any characters.
select pgq.insert_event('q', repeat(E'\u00e9\n\\''', 1000), repeat('x', 3000000));
select length(ev_type), length(ev_data), md5(ev_type) = md5(repeat(E'\u00e9\n\\''', 1000)) as same
  from pgq.event_template where length(ev_data) = 3000000;

-- Rule: a queue that is dropped and made again is another queue, in the same session.
select pgq.create_queue('again');
select pgq.insert_event('again', 't', '1');
select pgq.drop_queue('again');
select pgq.insert_event('again', 't', '2');
select pgq.create_queue('again');
select pgq.insert_event('again', 't', '3');
begin;
select pgq.insert_event('again', 't', 'dropped before commit');
select pgq.drop_queue('again');
commit;

-- Rule: tables that have got triggers, constraints or columns are written to in the usual way.
truncate pgq.event_1_0;
create table audit (who text, path text, data text);
create function audit() returns trigger language plpgsql as $$
begin
    insert into work.audit values (current_user, current_setting('search_path'), new.ev_data);
    new.ev_extra4 := 'by trigger';
    return new;
end;
$$;
create trigger audit before insert on pgq.event_1_0 for each row execute function audit();
create role pgq_test_writer in role pgq_writer;
set role pgq_test_writer;
select pgq.insert_event('q', 't', 'seen by trigger', 'e1', null, 'e3', null) > 0;
show search_path;
select current_user;
reset role;
select who = (select tableowner from pg_tables where schemaname = 'pgq' and tablename = 'event_1_0') as owner, path, data
  from audit;
select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from pgq.event_1_0;
drop trigger audit on pgq.event_1_0;
alter table pgq.event_1_0 add constraint short check (length(ev_data) < 20);
\set VERBOSITY terse
select pgq.insert_event('q', 't', repeat('long text', 10));
\set VERBOSITY default
alter table pgq.event_1_0 drop constraint short;
alter table pgq.event_1_0 alter column ev_data set not null;
\set VERBOSITY terse
select pgq.insert_event('q', 't', null);
\set VERBOSITY default
alter table pgq.event_1_0 alter column ev_data drop not null;
create unique index once on pgq.event_1_0 (ev_extra1) where ev_type = 'once';
select pgq.insert_event('q', 'once', 'a', 'x', null, null, null) > 0;
select pgq.insert_event('q', 'once', 'b', 'x', null, null, null) > 0;
select pgq.insert_event('q', 'twice', 'b', 'x', null, null, null) > 0;
drop index pgq.once;
create unique index once on pgq.event_1_0 (ev_extra2);
select pgq.insert_event('q', 't', 'a', null, 'y', null, null) > 0;
select pgq.insert_event('q', 't', 'b', null, 'y', null, null) > 0;
drop index pgq.once;
alter table pgq.event_1_0 add column more text default 'default';
select pgq.insert_event('q', 'more', 'd') > 0;
select more from pgq.event_1_0 where ev_type = 'more';
alter table pgq.event_1_0 drop column more;
select pgq.insert_event('q', 'dropped', 'd') > 0;
select ev_type, count(*) from pgq.event_1_0 group by 1 order by 1;
drop role pgq_test_writer;

-- Rule: every producer goes through insert_event(7), which users may replace.
begin;
create or replace function pgq.insert_event(
    queue_name text, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns bigint as $$
begin
    raise notice 'insert_event(%, %, %, %)', queue_name, ev_type, ev_data, ev_extra1;
    return -1;
end;
$$ language plpgsql;
create table t (id int primary key);
create trigger log after insert on t for each row execute function pgq.logutriga('q');
insert into t values (1);
select pgq.insert_event('q', 't', 'd');
select pgq.insert_event(null, null, null);
rollback;
select pgq.insert_event('q', 'ours again', 'd') > 0;
