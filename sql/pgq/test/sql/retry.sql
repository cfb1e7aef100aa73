-- SPDX-License-Identifier: ISC
-- Retry of events: one, a batch, raw; what maint_retry_events moves.
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
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';
select pgq.register_consumer('q', 'c'), pgq.register_consumer('q', 'other');
select pgq.insert_event('q', 't1', 'd1', 'a', 'b', 'c', 'd'), pgq.insert_event('q', 't2', 'd2'),
       pgq.insert_event('q', 't3', 'd3');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');

-- Rule: noted once; the rest of the batch can be noted too.
select pgq.event_retry(1, 2, 0);
select pgq.event_retry(1, 2, 0);
select pgq.event_retry(1, 2, now() + interval '1 day') as still_noted;
select pgq.batch_retry(1, 0);
select pgq.batch_retry(1, 0);
select ev_retry_after <= now() as due, ev_queue, ev_id, ev_txid, ev_owner, ev_retry, ev_type, ev_data, ev_extra1,
       ev_extra2, ev_extra3, ev_extra4
  from pgq.retry_queue order by ev_id;
-- Rule: only for events of an open batch.
select pgq.event_retry(1, 99, 0);
select pgq.event_retry(99, 1, 0);
select pgq.event_retry(null, 1, 0);
select pgq.event_retry(1, null, 0);
select pgq.batch_retry(99, 0);
select pgq.finish_batch(1);

-- Rule: what is due goes back with its id, for its owner alone; the sequence moves on.
select pgq.maint_retry_events();
select pgq.maint_retry_events();
select pgq.seq_getval('pgq.event_1_id_seq');
select pgq.insert_event('q', 't7', 'for all');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select ev_id, ev_retry, ev_type, ev_data, ev_extra1, ev_extra4 from pgq.get_batch_events(2);
-- Rule: the count of retries goes up.
select pgq.event_retry(2, 1, 0);
select ev_retry from pgq.retry_queue;
select pgq.finish_batch(2);
select pgq.next_batch('q', 'other');
select array_agg(ev_id) from pgq.get_batch_events(3);
select pgq.finish_batch(3);
select pgq.next_batch('q', 'other');
select array_agg(ev_id) from pgq.get_batch_events(4);

-- Rule: what is not due stays.
update pgq.retry_queue set ev_retry_after = now() + interval '1 hour';
select pgq.maint_retry_events();

-- Straight into the retry queue.
select pgq.event_retry_raw('q', 'c', now(), 666, now(), 3, 'raw', 'data', null, null, null, null);
select pgq.event_retry_raw('q', 'c', now(), null, now(), 0, 'raw', 'numbered', null, null, null, null);
select pgq.event_retry_raw('q', 'c', now(), 666, now(), 0, 'raw', 'twice', null, null, null, null);
select pgq.event_retry_raw('q', 'none', now(), 1, now(), 0, 'raw', 'data', null, null, null, null);

-- Rule: a queue that takes no events, or is broken, does not block the retries of others.
select pgq.create_queue('disabled'), pgq.create_queue('broken'), pgq.create_queue('limited');
select pgq.register_consumer(name, 'c') from unnest(array['disabled', 'broken', 'limited']) name;
select pgq.event_retry_raw(name, 'c', now() - interval '1 hour', i, now(), 0, 'x', name, null, null, null, null)
  from unnest(array['disabled', 'broken', 'limited']) name, generate_series(1, 3) i;
update pgq.queue set queue_disable_insert = true where queue_name = 'disabled';
update pgq.queue set queue_per_tx_limit = 2 where queue_name = 'limited';
drop table pgq.event_3_0;
select pgq.maint_retry_events();
select pgq.maint_retry_events();
select pgq.maint_retry_events();
select ev_queue, count(*) from pgq.retry_queue where ev_retry_after <= now() group by 1 order by 1;
-- Rule: a disabled queue takes them in replica role.
set session_replication_role = replica;
select pgq.maint_retry_events();
reset session_replication_role;

-- Rule: at most 10 of a queue at once.
select count(pgq.event_retry_raw('q', 'c', now(), 1000 + i, now(), 0, 'x', 'd', null, null, null, null))
  from generate_series(1, 25) i;
\set VERBOSITY terse
select pgq.maint_retry_events();
select pgq.maint_retry_events();
select pgq.maint_retry_events();
select pgq.maint_retry_events();
