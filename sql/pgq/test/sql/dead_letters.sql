-- SPDX-License-Identifier: ISC
-- Retry with limits, dead letters, delayed events, compaction.
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
select count(pgq.insert_event('q', 'type' || i, 'data' || i, 'x1', 'x2', 'x3', 'x4')) from generate_series(1, 4) i;
select pgq.ticker('q');
select pgq.next_batch('q', 'c');

-- Rule: the first try is followed by a pause, give or take a fifth; the last one by death.
select event_id, tries, retry_after - now() between '7 s' and '13 s' as pause
  from pgq.fail_events(1, array[1, 3], array['one', 'three'], 3, '10 s', '1 hour');
select event_id, tries, retry_after from pgq.fail_events(1, array[2], array['two'], 1, '10 s', '1 hour');
select ev_id, ev_retry, ev_type, ev_data, ev_extra4 from pgq.retry_queue order by 1;
select ev_failed_reason, now() - ev_failed_time < '1 minute' as recent, ev_id, ev_retry, ev_type, ev_data, ev_extra1,
       ev_extra2, ev_extra3, ev_extra4, ev_queue_name, ev_consumer_name, ev_tries
  from pgq.failed_event_list('q', 'c');
-- Rule: said twice, noted once, with the first reason.
select event_id, tries, retry_after from pgq.fail_events(1, array[2], array['again'], 1, '0', '0');
select pgq.event_failed(1, 2, 'again'), pgq.event_failed(1, 4, 'four');
select ev_id, ev_failed_reason from pgq.failed_event_list('q', 'c');
-- Rule: only events of an open batch; nothing is half done.
select * from pgq.fail_events(1, array[1, 99], array['a', 'b'], 1, '0', '0');
select * from pgq.fail_events(99, array[1], array['a'], 1, '0', '0');
select * from pgq.fail_events(1, array[1], array['a'], 0, '0', '0');
select * from pgq.fail_events(1, array[1], array['a'], 1, '-1 s', '0');
select pgq.event_failed(1, 99, 'no such event');
select pgq.event_failed(99, 1, 'no such batch');
select pgq.failed_event_count('q', 'c'), pgq.failed_event_count('q', 'other');
select pgq.finish_batch(1);

-- Rule: pauses double, up to the longest.
update pgq.retry_queue set ev_retry_after = now() where ev_id = 1;
select pgq.maint_retry_events();
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select event_id, tries, retry_after - now() between '15 s' and '25 s' as doubled
  from pgq.fail_events(2, array[1], array['one'], 9, '10 s', '1 hour');
delete from pgq.retry_queue where ev_id = 1;
select event_id, tries, retry_after - now() between '9 s' and '15 s' as at_most
  from pgq.fail_events(2, array[1], array['one'], 9, '10 s', '12 s');
delete from pgq.retry_queue where ev_id = 1;
-- Rule: tries of all deliveries count.
select event_id, tries, retry_after from pgq.fail_events(2, array[1], array['one'], 2, '10 s', '12 s');
select pgq.finish_batch(2);
select ev_id, ev_tries from pgq.failed_event_list('q', 'c', 2, 1);
delete from pgq.retry_queue;

-- Rule: redriven events come to their consumer alone, with new ids, and may be tried as often as any.
select pgq.failed_event_retry('q', 'c', 1) > 4 as new_id;
select pgq.failed_event_redrive('q', 'c', i_event_ids => array[2, 77]);
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select ev_id > 4 as new_id, ev_retry, ev_type, ev_data, ev_extra4 from pgq.get_batch_events(3) order by ev_data;
select count(*) from pgq.fail_events(3, (select array_agg(ev_id) from pgq.get_batch_events(3)), array['x1', 'x2'], 1, '0', '0');
select pgq.finish_batch(3);
select pgq.register_consumer_at('q', 'other', 2), pgq.next_batch('q', 'other'), pgq.finish_batch(4);
select pgq.next_batch('q', 'other');
select count(*) from pgq.get_batch_events(5);
-- Rule: by filter.
select pgq.failed_event_redrive('q', 'c', i_type => 'nothing%'), pgq.failed_event_redrive('q', 'c', i_reason => 'fo%'),
       pgq.failed_event_redrive('q', 'c', i_failed_before => now() - interval '1 day'),
       pgq.failed_event_redrive('q', 'c', i_type => 'type1');
select ev_type, ev_failed_reason from pgq.failed_event_list('q', 'c');
-- Rule: all; and nothing is left.
select pgq.failed_event_redrive('q', 'c'), pgq.failed_event_redrive('q', 'c'), pgq.failed_event_count('q', 'c');

-- Forgetting.
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select count(*) from pgq.fail_events(6, (select array_agg(ev_id) from pgq.get_batch_events(6)), array['a', 'b', 'c'], 1, '0', '0');
select pgq.failed_event_delete('q', 'c', ev_id) from pgq.failed_event_list('q', 'c', 1, 0);
select pgq.failed_event_delete('q', 'c', 1);
select pgq.failed_event_retry('q', 'c', 1);
select pgq.failed_event_purge('q', 'c', i_reason => 'b');
-- Rule: dead letters outlive their consumer; then there is nobody to give them to.
select pgq.finish_batch(6), pgq.unregister_consumer('q', 'c');
select pgq.failed_event_count('q', 'c');
select pgq.failed_event_redrive('q', 'c');
select pgq.failed_event_purge('q', 'c'), pgq.failed_event_count('q', 'c');

-- Delayed events. Rule: each consumer gets them, at their time.
select pgq.register_consumer('q', 'c');
select pgq.insert_event_at('q', 'tomorrow', 'later', 'data', '1', '2', '3', '4') > 0, pgq.insert_event_at('q', 'yesterday', 'now', 'data') > 0;
select ev_retry_after = 'tomorrow' as due, ev_time = 'tomorrow' as ev_time, ev_type, ev_extra4 from pgq.retry_queue;
select pgq.maint_retry_events();
update pgq.retry_queue set ev_retry_after = now();
select pgq.maint_retry_events();
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select ev_type, ev_data, ev_extra1, ev_retry, ev_time = 'tomorrow' as due, ev_time = 'yesterday' as past from pgq.get_batch_events(7);
select pgq.insert_event_at('q', null, 't', 'd');
select pgq.insert_event_at('none', 'tomorrow', 't', 'd');
update pgq.queue set queue_disable_insert = true;
select pgq.insert_event_at('q', 'tomorrow', 't', 'd');
update pgq.queue set queue_disable_insert = false;
-- Rule: two queues may have delayed events of the same number; they go with their queue.
select pgq.create_queue('r');
select setval('pgq.event_2_id_seq', 500), setval('pgq.event_1_id_seq', 500);
select pgq.insert_event_at('q', 'tomorrow', 't', 'd'), pgq.insert_event_at('r', 'tomorrow', 't', 'd');
select pgq.drop_queue('r');
select ev_queue, ev_id from pgq.retry_queue;

-- Rule: rights are those of consumers and producers.
set role pgq_reader;
select pgq.failed_event_count('q', 'c'), pgq.failed_event_redrive('q', 'c'), pgq.failed_event_purge('q', 'c');
select pgq.insert_event_at('q', 'tomorrow', 't', 'd');
select count(*) from pgq.failed_queue;
set role pgq_writer;
select pgq.insert_event_at('q', 'tomorrow', 't', 'd') > 0;
select pgq.failed_event_count('q', 'c');
set role pgq_admin;
select count(*), (select pgq.maint_compact()) from pgq.failed_queue;
reset role;

-- Rule: only events of members of the group are found by a name; a subconsumer's belong to the group.
update pgq.subscription set sub_id = (select sub_id from pgq.subscription join pgq.consumer on co_id = sub_consumer and co_name = 'c')
  from pgq.consumer where co_id = sub_consumer and co_name = 'other';
update pgq.consumer set co_name = 'c.sub' where co_name = 'other';
select queue_name, consumer_name from pgq._batch_owner(5);
