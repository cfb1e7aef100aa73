-- SPDX-License-Identifier: ISC
-- Registering, moving and unregistering of consumers; information about them.
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
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';
select pgq.register_consumer('q', 'c');
select pgq.register_consumer('r', 'c');
select pgq.register_consumer_at('q', 'at', 1);
\set VERBOSITY terse
select pgq.register_consumer_at('q', 'at', 99);
\set VERBOSITY default
select pgq.register_consumer_at('none', 'at', 1);
\set VERBOSITY sqlstate
select pgq.register_consumer_at('q', 'at', 99);
select pgq.register_consumer('none', 'at');
\set VERBOSITY default
-- Rule: a failed registration leaves nothing behind.
\set VERBOSITY terse
select pgq.register_consumer_at('q', 'ghost', 99);
\set VERBOSITY default
select co_name from pgq.consumer order by 1;

-- Rule: moving gives up the open batch; without a position nothing changes.
select pgq.insert_event('q', 't', 'd');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select pgq.register_consumer('q', 'c');
select sub_last_tick, sub_batch, sub_next_tick from pgq.subscription where sub_id = 1;
select pgq.register_consumer_at('q', 'c', 2);
select sub_last_tick, sub_batch, sub_next_tick from pgq.subscription where sub_id = 1;
select pgq.finish_batch(1);
select pgq.next_batch('q', 'c');

-- Information.
select queue_name, consumer_name, lag >= '0' as lag, last_seen >= '0' as last_seen, last_tick, current_batch, next_tick,
       pending_events
  from pgq.get_consumer_info();
select count(*) from pgq.get_consumer_info('q');
select queue_name, consumer_name from pgq.get_consumer_info(null, 'c');
select queue_name, consumer_name from pgq.get_consumer_info('q', 'none');
-- Rule: ev_per_sec is NULL while no time has passed between ticks.
select queue_name, queue_ntables, queue_cur_table, queue_rotation_period, queue_external_ticker, queue_ticker_paused,
       queue_ticker_max_count, queue_ticker_max_lag, queue_ticker_idle_period, ticker_lag >= '0' as ticker_lag,
       ev_per_sec > 0 as ev_per_sec, ev_new, last_tick_id
  from pgq.get_queue_info();
update pgq.tick set tick_time = '2024-01-01' where tick_queue = 1 and tick_id = 1;
update pgq.tick set tick_time = '2024-01-01 00:00:04' where tick_queue = 1 and tick_id = 2;
select queue_name, ev_per_sec from pgq.get_queue_info('q');
select count(*) from pgq.get_queue_info(null);
select * from pgq.get_queue_info('none');

-- Rule: without a tick there is nowhere to start.
delete from pgq.tick where tick_queue = 2;
select pgq.register_consumer('r', 'd');
select ticker_lag, ev_new, last_tick_id from pgq.get_queue_info('r');

-- Unregistering: retry events go, the name goes with the last subscription.
select pgq.event_retry_raw('q', 'c', now(), 1, now(), 0, 't', 'd', null, null, null, null);
select pgq.unregister_consumer('q', 'none'), pgq.unregister_consumer('none', 'c'), pgq.unregister_consumer(null, null);
select pgq.unregister_consumer('q', 'c');
select pgq.unregister_consumer('q', 'c');
select count(*) from pgq.retry_queue;
select co_name from pgq.consumer order by 1;
select pgq.unregister_consumer('r', 'c'), pgq.unregister_consumer('q', 'at');
select count(*) from pgq.consumer;

-- Subconsumers as pgq_coop makes them: they share the sub_id of the main consumer.
create function make_group() returns void language sql as $$
    select pgq.register_consumer('q', 'main');
    select pgq._get_consumer('main.' || i) from generate_series(1, 3) i;
    insert into pgq.subscription (sub_id, sub_queue, sub_consumer, sub_last_tick, sub_batch, sub_next_tick)
    select s.sub_id, 1, c.co_id, case when c.co_name = 'main.2' then 1 end, case when c.co_name = 'main.2' then 77 end,
           case when c.co_name = 'main.2' then 2 end
      from pgq.subscription s join pgq.consumer m on m.co_id = s.sub_consumer and m.co_name = 'main',
           pgq.consumer c where c.co_name like 'main.%';
$$;
select make_group();
-- Rule: a subconsumer goes alone, with a batch or without.
select pgq.unregister_consumer('q', 'main.1'), pgq.unregister_consumer('q', 'main.2');
select co_name from pgq.subscription join pgq.consumer on co_id = sub_consumer order by 1;
-- Rule: with the main consumer go all.
select pgq.unregister_consumer('q', 'main');
select count(*) from pgq.subscription;
