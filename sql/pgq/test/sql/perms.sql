-- SPDX-License-Identifier: ISC
-- Who may do what.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

create role pgq_test_reader in role pgq_reader;
create role pgq_test_writer in role pgq_writer;
create role pgq_test_admin in role pgq_admin;
create role pgq_test_nobody;

-- Administration: for admin.
set role pgq_test_reader;
select pgq.create_queue('q');
set role pgq_test_writer;
select pgq.create_queue('q');
set role pgq_test_admin;
select pgq.create_queue('q');
-- Rule: admin may run every part of the ticker's work.
select pgq.set_queue_config('q', 'ticker_max_lag', '0'), pgq.set_queue_config('q', 'rotation_period', '0');
select pgq.ticker() >= 0, pgq.ticker('q') is null, pgq.force_tick('q') > 0, pgq.maint_retry_events();
select count(*) from pgq.ticker_round(null);
select count(*) from pgq.ticker_sleep(null);
select count(*) from pgq.ticker_wake(null);
select pgq.ticker_lock();
select func_name, func_arg from pgq.maint_operations();
select pgq.maint_rotate_tables_step1('q');
select pgq.maint_rotate_tables_step2();
select queue_cur_table from pgq.queue;
select pgq.insert_event_raw('q', null, null, null, null, 't', 'd', null, null, null, null) > 0;
-- Rule: and write in bulk.
insert into pgq.event_1_1 (ev_time, ev_type, ev_data) values (now(), 't', 'bulk');

-- Producing: for writer.
set role pgq_test_nobody;
select pgq.insert_event('q', 't', 'd');
select pgq.insert_event('q', 't', 'd', null, null, null, null);
set role pgq_test_reader;
select pgq.insert_event('q', 't', 'd');
set role pgq_test_writer;
select pgq.insert_event('q', 't', 'd') > 0, pgq.insert_event('q', 't', 'd', '1', '2', '3', '4') > 0;
select pgq.current_event_table('q');
-- Rule: the right to call it is all; the table is out of reach.
insert into pgq.event_1_1 (ev_time, ev_type, ev_data) values (now(), 't', 'bulk');
select count(*) from pgq.event_1_1;
select pgq.insert_event_raw('q', null, null, null, null, 't', 'd', null, null, null, null);
select pgq.next_batch('q', 'c');
select pgq.register_consumer('q', 'c');
-- Rule: insert_event(3) needs the right to execute insert_event(7), which it calls.
reset role;
grant execute on function pgq.insert_event(text, text, text) to pgq_test_nobody;
set role pgq_test_nobody;
select pgq.insert_event('q', 't', 'd');
-- Rule: a right that is taken away counts at once.
set role pgq_test_writer;
select pgq.insert_event('q', 't', 'd') > 0;
reset role;
revoke pgq_writer from pgq_test_writer;
set role pgq_test_writer;
select pgq.insert_event('q', 't', 'd');
reset role;
grant pgq_writer to pgq_test_writer;
-- Also that to what insert_event(3) calls.
set role pgq_test_writer;
select pgq.insert_event('q', 't', 'd') > 0;
reset role;
revoke execute on function pgq.insert_event(text, text, text, text, text, text, text) from pgq_writer;
set role pgq_test_writer;
select pgq.insert_event('q', 't', 'd');
reset role;
grant execute on function pgq.insert_event(text, text, text, text, text, text, text) to pgq_writer;
-- Rule: insert_event_raw runs with the rights of the caller.
grant execute on function pgq.insert_event_raw(text, bigint, timestamptz, integer, integer, text, text, text, text, text, text)
   to pgq_test_nobody;
set role pgq_test_nobody;
select pgq.insert_event_raw('q', null, null, null, null, 't', 'd', null, null, null, null);

-- Consuming: for reader.
select pgq.register_consumer('q', 'c');
set role pgq_test_reader;
select pgq.register_consumer('q', 'c');
reset role;
select pgq.insert_event('q', 't', 'for c') > 0, pgq.ticker('q') > 0;
set role pgq_test_reader;
select pgq.next_batch('q', 'c');
select ev_data from pgq.get_batch_events(1);
select pgq.event_retry(1, max(ev_id), 0) from pgq.get_batch_events(1);
select pgq.finish_batch(1);
select count(*) from pgq.retry_queue;
select pgq.unregister_consumer('q', 'c');
update pgq.queue set queue_disable_insert = true;

-- Information: for all.
set role pgq_test_nobody;
select count(*) from pgq.get_queue_info();
select count(*) from pgq.get_consumer_info('q', 'c');
select pgq.version() is not null, pgq.seq_getval('pgq.event_1_id_seq') > 0;
select count(*) from pgq.queue, pgq.tick, pgq.consumer, pgq.subscription;
select count(*) from pgq.event_template;
select pgq.next_batch('q', 'c');

-- Who changes a table with a trigger needs to be a writer.
reset role;
create table t (id int primary key);
create trigger log after insert on t for each row execute function pgq.logutriga('q');
grant insert on t to public;
set role pgq_test_nobody;
insert into t values (1);
set role pgq_test_writer;
insert into t values (2);
reset role;
select ev_data from pgq.event_template where ev_type = 'I:id';

select pg_advisory_unlock_all();
drop table t;
revoke all on function pgq.insert_event(text, text, text) from pgq_test_nobody;
revoke all on function pgq.insert_event_raw(text, bigint, timestamptz, integer, integer, text, text, text, text, text, text)
  from pgq_test_nobody;
drop role pgq_test_reader, pgq_test_writer, pgq_test_admin, pgq_test_nobody;
