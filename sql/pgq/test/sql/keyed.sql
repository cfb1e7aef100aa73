-- SPDX-License-Identifier: ISC
-- Workers of a keyed consumer: registration, moves, retries, leaving.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

select pgq.create_queue('q');
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';

-- Rule: the workers share the consumer's sub_id and begin where it is; said twice, done once.
select pgq.register_keyed('q', 'c', 2), pgq.register_keyed('q', 'c', 2);
select pgq.register_consumer('q', 'other');
select co_name, sub_last_tick, sub_id = min(sub_id) over () as shared
  from pgq.subscription join pgq.consumer on co_id = sub_consumer order by 1;
select pgq.insert_event('q', 't', 'd');
select pgq.ticker('q'), pgq.ticker('q');

-- Rule: a move needs the position that the caller believes in, and a tick that exists.
select pgq.move_consumer('q', 'c#1/2', 1, 3), pgq.move_consumer('q', 'c#1/2', 1, 2), pgq.move_consumer('q', 'c#1/2', 3, 99);
select pgq.next_batch('q', 'c#2/2');
select pgq.move_consumer('q', 'c#2/2', 1, 3);
-- Rule: what a worker puts off or gives up belongs to the consumer.
select pgq.event_retry(1, 1, 0), pgq.event_failed(1, 1, 'reason');
select pgq.failed_event_count('q', 'c');
select pgq.finish_batch(1);
select consumer_name, last_tick from pgq.get_consumer_info('q');

-- Rule: another number of workers begins where the last of the former ones is.
select pgq.register_keyed('q', 'c', 3);
select consumer_name, last_tick from pgq.get_consumer_info('q');
select pgq.unregister_keyed('q', 'c', 2), pgq.unregister_keyed('q', 'c', 2);
select consumer_name from pgq.get_consumer_info('q');
-- Rule: with the consumer go all its workers, and nobody else.
select pgq.unregister_consumer('q', 'c');
select consumer_name from pgq.get_consumer_info('q');
select co_name from pgq.consumer;

select pgq.register_keyed('none', 'c', 2);
select pgq.register_keyed('q', 'c', 0);
select pgq.register_keyed('q', 'c', null);
