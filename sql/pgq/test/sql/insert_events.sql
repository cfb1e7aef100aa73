-- SPDX-License-Identifier: ISC
-- Many events in one call, and by COPY.
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
    select ev_id, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from pgq.event_template order by ev_id;
-- Rule: an event for each element, in their order; NULLs are NULL.
select pgq.insert_events('q', array['a', null, 'c'], array['1', '2', null]);
select pgq.insert_events('q', '{a,b}', '{1,2}', '{e1,""}', null, '{e3,e33}', array[null, 'e4']);
select pgq.insert_events('q', null, '{only data}');
select pgq.insert_events(i_queue_name => 'q', i_types => '{t}', i_datas => null, i_extra4 => '{x}');
select * from log;
-- Rule: time, txid, owner and retry as those of insert_event.
begin;
select pgq.insert_events('q', '{now}', '{now}');
select ev_time = now() as now, ev_txid = txid_current() as txid, ev_owner, ev_retry
  from pgq.event_template where ev_type = 'now';
commit;
-- Rule: no event is no event, but a queue must be named.
select pgq.insert_events('q', '{}', '{}'), pgq.insert_events('q', null, null);
select pgq.insert_events(null, '{}', '{}');
select pgq.insert_events('none', '{t}', '{d}');
-- Rule: arrays that do not fit are refused, with nothing written.
select pgq.insert_events('q', '{a,b}', '{1}');
select pgq.insert_events('q', '{a}', '{1}', '{}');
select pgq.insert_events('q', '{{a},{b}}', '{{1},{2}}');
\set VERBOSITY sqlstate
select pgq.insert_events('q', '{a,b}', '{1}');
\set VERBOSITY default
begin read only;
select pgq.insert_events('q', '{a}', '{1}');
rollback;
select count(*) from log;
-- Rule: many and long ones, more than go into one page or one write.
truncate pgq.event_1_0;
select pgq.insert_events('q', array_agg('t' || i), array_agg(repeat(i::text, i % 50)), null, array_agg(i::text))
  from generate_series(1, 5000) i;
select count(*), count(distinct ev_id), max(ev_id) - min(ev_id) as span,
       bool_and(ev_type = 't' || ev_extra2 and ev_data = repeat(ev_extra2, ev_extra2::int % 50)) as same,
       bool_and(ev_extra2::int = ev_id - (select min(ev_id) from log) + 1) as ordered
  from log;
select pgq.insert_events('q', array['long', 'long'], array[repeat('x', 3000000), repeat('y', 10)]);
select length(ev_data) from log where ev_type = 'long';
-- Rule: the index finds them.
set enable_seqscan = off;
select count(*) from pgq.event_1_0 where ev_txid = (select max(ev_txid) from pgq.event_1_0);
reset enable_seqscan;
-- Rule: consumers get them.
select pgq.register_consumer_at('q', 'c', 1);
update pgq.queue set queue_ticker_max_lag = '0';
select pgq.ticker('q');
select count(*) from pgq.get_batch_events(pgq.next_batch('q', 'c'));
truncate pgq.event_1_0;
-- Rule: what the queue refuses is refused, all of it.
update pgq.queue set queue_disable_insert = true;
select pgq.insert_events('q', '{a,b}', '{1,2}');
update pgq.queue set queue_disable_insert = false, queue_per_tx_limit = 2;
select pgq.insert_events('q', '{a,b,c}', '{1,2,3}');
begin;
select pgq.insert_events('q', '{a}', '{1}'), pgq.insert_event('q', 't', 'd') > 0;
select pgq.insert_events('q', '{a}', '{1}');
rollback;
update pgq.queue set queue_per_tx_limit = null;
select count(*) from log;
-- Rule: writers may use it, others not.
create role pgq_test_writer in role pgq_writer;
create role pgq_test_nobody;
set role pgq_test_writer;
select pgq.insert_events('q', '{by}', '{writer}');
set role pgq_test_nobody;
select pgq.insert_events('q', '{by}', '{nobody}');
reset role;
drop role pgq_test_writer, pgq_test_nobody;
-- Rule: untyped literals find insert_event as ever.
select pgq.insert_event('q', 't', 'd') > 0, pgq.insert_event('q', 't', 'd', '1', '2', '3', '4') > 0;
-- Rule: event tables that have triggers run these.
create function loud() returns trigger language plpgsql as $$
begin
    new.ev_extra4 := 'by trigger';
    return new;
end;
$$;
create trigger loud before insert on pgq.event_1_0 for each row execute function loud();
select pgq.insert_events('q', '{loud,loud}', '{1,2}');
select ev_data, ev_extra4 from log where ev_type = 'loud';
drop trigger loud on pgq.event_1_0;
truncate pgq.event_1_0;
-- Rule: the way of COPY: in a transaction, into the table that is current there.
begin;
select pgq.current_event_table('q') as event_table \gset
copy pgq.event_1_0 (ev_time, ev_type, ev_data) from stdin;
2020-01-01 00:00:00+00	copy	1
2020-01-01 00:00:00+00	copy	2
\.
-- the time of an event may be left to the table
insert into pgq.event_1_0 (ev_type, ev_data) select 'insert', i::text from generate_series(1, 2) as i;
select ev_time = now() as now from pgq.event_1_0 where ev_type = 'insert';
commit;
select count(*), count(distinct ev_id), count(ev_txid) from pgq.event_1_0;
