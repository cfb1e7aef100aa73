-- SPDX-License-Identifier: ISC
-- ticker_round, ticker_sleep, ticker_wake, ticker_lock, as one session sees them.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

select pgq.create_queue('q'), pgq.create_queue('r');
create view round as
    select queue_id, queue_name, tick_id, state, next_check > '0' as next_check, error from pgq.ticker_round(null);

-- Rule: nothing is ticked while nothing happens: neither the second tick, nor one by back-off.
select * from round;
select queue_id, state, next_check between '50 s' and '1 min' as idle_period from pgq.ticker_round('{1}');

-- Rule: events are ticked when max_lag has passed, counted from the last tick.
update pgq.queue set queue_ticker_max_lag = '1 hour';
select pgq.insert_event('q', 't', 'd');
select * from round;
select next_check between '59 min' and '1 hour' as max_lag from pgq.ticker_round('{1}');
update pgq.tick set tick_time = tick_time - interval '1 hour';
select * from round;
-- Rule: or when there are max_count of them.
update pgq.queue set queue_ticker_max_count = 2;
select pgq.insert_event('q', 't', 'd');
select state from round;
select pgq.insert_event('q', 't', 'd');
select * from round;
-- Rule: or when idle_period has passed without any.
update pgq.queue set queue_ticker_idle_period = '30 min', queue_ticker_max_lag = '1 s';
update pgq.tick set tick_time = tick_time - interval '29 min';
select state from round;
update pgq.tick set tick_time = tick_time - interval '1 min';
select state from round;
update pgq.queue set queue_ticker_max_lag = '1 hour', queue_ticker_max_count = 500;

-- Rule: only the queues that are asked for; paused and external ones never.
select queue_id from pgq.ticker_round('{2, 77}');
select queue_id from pgq.ticker_round('{}');
select pgq.set_queue_config('q', 'ticker_paused', '1'), pgq.set_queue_config('r', 'external_ticker', '1');
select * from round;
select * from pgq.ticker_sleep(null);
select pgq.set_queue_config('q', 'ticker_paused', '0'), pgq.set_queue_config('r', 'external_ticker', '0');

-- Rule: asleep only where there is nothing to do; those that have events are given back, and stay awake.
create view flags as select queue_id, coalesce(pg_sequence_last_value(queue_wake_seq::regclass), 1) as flag from pgq.queue order by 1;
select pgq.insert_event('r', 't', 'd');
select * from pgq.ticker_sleep(null);
select * from flags;
-- Rule: a queue whose ticker is awake does not notify; one whose ticker sleeps does, once a transaction.
select * from pgq.ticker_wake(null);
select * from pgq.ticker_wake(null);
select state from round;
select * from pgq.ticker_sleep('{2}');
select * from flags;
-- Rule: pgq.ticker, as called by a ticker of version 3, is awake.
select pgq.ticker('r');
select * from flags;
select * from pgq.ticker_sleep(null);
select * from flags;
select pgq.ticker();
select * from flags;
-- But not beside a ticker daemon that sleeps: that would never be woken.
select pgq.ticker_lock();
select * from pgq.ticker_sleep(null);
select pgq.ticker(), pgq.ticker('q');
select * from flags;
select pg_advisory_unlock_all();
select * from pgq.ticker_wake('{2, 77}');
select * from flags;

-- Rule: a broken queue is shown, does not stop the others, and does not keep the ticker awake.
set client_min_messages = warning;
drop sequence pgq.event_1_id_seq cascade;
reset client_min_messages;
update pgq.queue set queue_ticker_max_lag = '0';
select pgq.insert_event('r', 't', 'd');
select * from round;
select * from pgq.ticker_sleep(null);
select pgq.create_queue('future'), pgq.create_queue('lost table');
drop table pgq.event_4_0;
update pgq.tick set tick_snapshot = '1000000000:1000000000:', tick_time = now() - interval '1 h' where tick_queue = 3;
select queue_name, state, next_check > '0' as next_check, regexp_replace(error, '\d{3,}', 'N', 'g') as error from pgq.ticker_round(null);

-- Rule: a queue without a flag, as from version 3, keeps the ticker awake.
select pgq.create_queue('old');
update pgq.queue set queue_wake_seq = null where queue_name = 'old';
select * from pgq.ticker_sleep('{5}');
-- Rule: upgrade_schema gives it one.
select pgq.upgrade_schema();
select * from pgq.ticker_sleep('{5}');
select * from pgq.ticker_wake('{5}');

-- Rule: one ticker daemon a database; the same session may ask again.
select pgq.ticker_lock(), pgq.ticker_lock();
select classid = 'pgq.queue'::regclass as class, objid, objsubid, mode from pg_locks where locktype = 'advisory';
select pg_advisory_unlock_all();

-- Rule: in REPEATABLE READ an error for the queue, not a wrong tick.
update pgq.queue set queue_ticker_idle_period = '0';
begin isolation level repeatable read;
select state, error from pgq.ticker_round('{5}');
rollback;
