-- SPDX-License-Identifier: ISC
-- ticker(): rules, external ticks, force_tick, queues that cannot be ticked.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

-- Whether a tick is due, by the rules: new events, age of the last tick, gap before it, max_count, max_lag, idle.
select pgq._tick_due(0, null, null, 500, '3 s', '1 min') as first_tick,
       pgq._tick_due(0, '0', null, 500, '3 s', '1 min') as only_one_tick;
select i as new_events, pgq._tick_due(i, '1 s', '1 s', 500, '3 s', '1 min') as young,
       pgq._tick_due(i, '3 s', '1 s', 500, '3 s', '1 min') as old
  from unnest(array[-5, 1, 499, 500]) i;
-- Without events: twice the gap before, from max_lag / 2 to idle_period.
select lag, pgq._tick_due(0, lag, '1 s', 500, '3 s', '1 min') as after_1s, pgq._tick_due(0, lag, '20 s', 500, '3 s', '1 min')
       as after_20s, pgq._tick_due(0, lag, '1 h', 500, '3 s', '1 min') as after_1h
  from unnest(array['1.4 s', '1.9 s', '2 s', '39 s', '40 s', '59 s', '60 s']::interval[]) lag;

select pgq.create_queue('q');
-- Rule: with a single tick, tick; then wait.
update pgq.queue set queue_ticker_max_lag = '1 hour', queue_ticker_max_count = 1;
select pgq.ticker('q');
select pgq.ticker('q');
-- Rule: the very first event counts as new, though the sequence said 1 before as it does now.
select ev_new from pgq.get_queue_info('q');
select pgq.insert_event('q', 't', 'first');
select ev_new from pgq.get_queue_info('q');
select pgq.ticker('q');
select pgq.ticker('q');
-- Rule: max_count or max_lag.
update pgq.queue set queue_ticker_max_count = 3;
select pgq.insert_event('q', 't', 'd'), pgq.insert_event('q', 't', 'd');
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'd');
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'd');
select pgq.ticker('q');
update pgq.queue set queue_ticker_max_lag = '0';
select pgq.ticker('q');
-- Rule: a number that was used up by a rollback makes a tick too; nothing else would tell.
begin;
select pgq.insert_event('q', 't', 'd');
rollback;
select pgq.ticker('q');

-- Rule: force_tick makes the sequence jump by max_count * 2 + 1000.
update pgq.queue set queue_ticker_max_lag = '1 hour', queue_ticker_max_count = 500;
select nextval('pgq.event_1_id_seq');
select pgq.force_tick('q');
select nextval('pgq.event_1_id_seq');
select pgq.ticker('q');
select pgq.force_tick('none');

-- Rule: a paused queue and one with an external ticker are left out, and say so by name.
select pgq.create_queue('paused'), pgq.create_queue('external');
select pgq.set_queue_config('paused', 'ticker_paused', '1'), pgq.set_queue_config('external', 'external_ticker', '1');
select pgq.ticker();
select pgq.ticker('paused');
select pgq.ticker('external');
select pgq.ticker('none');
select pgq.ticker(null);
select pgq.force_tick('paused'), pgq.force_tick('external'), pgq.seq_getval('pgq.event_2_id_seq');

-- External ticks: sequences go up, never down; ids may be lower, but not the same.
select pgq.ticker('external', 100, '2020-01-01 00:00:00+00', 5000);
select pgq.seq_getval('pgq.event_3_tick_seq'), pgq.seq_getval('pgq.event_3_id_seq');
select pgq.ticker('external', 50, '2020-01-01 00:00:00+00', 400);
select pgq.seq_getval('pgq.event_3_tick_seq'), pgq.seq_getval('pgq.event_3_id_seq');
select tick_id, tick_time at time zone 'utc', tick_event_seq from pgq.tick where tick_queue = 3 and tick_id > 1 order by 1;
\set VERBOSITY terse
select pgq.ticker('external', 100, now(), 5000);
select pgq.ticker('external', 101, null, 5000);
select pgq.ticker('external', 101, now(), null);
\set VERBOSITY default
select pgq.ticker('q', 101, now(), 1);
select pgq.ticker('paused', 101, now(), 1);
select pgq.ticker('none', 101, now(), 1);

-- Rule: a queue that cannot be ticked does not stop the others.
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';
select pgq.create_queue('a lost sequence'), pgq.create_queue('b from the future'), pgq.create_queue('c good one');
drop sequence pgq.event_4_id_seq cascade;
update pgq.tick set tick_snapshot = '1000000000:1000000000:' where tick_queue = 5;
select pgq.ticker();
select pgq.ticker('a lost sequence');
select tick_queue, max(tick_id) from pgq.tick group by 1 order by 1;
-- Rule: backwards, but not in the future: only a warning.
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';
update pgq.tick set tick_snapshot = '3:1000000000:' where tick_queue = 6 and tick_id = 2;
\set VERBOSITY sqlstate
select pgq.ticker('c good one') > 0;
select pgq.ticker('b from the future');
\set VERBOSITY default

-- Rule: not with a snapshot that is older than the ticker lock.
begin isolation level repeatable read;
select pgq.ticker('q');
rollback;
-- But queues can be created in any transaction.
begin isolation level serializable;
select pgq.create_queue('serializable');
commit;
