-- SPDX-License-Identifier: ISC
-- gone_after and gone_policy, retention: what rotation waits for.
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
select pgq.register_consumer('q', 'here'), pgq.register_consumer('q', 'away'), pgq.register_consumer('q', 'away.1');
update pgq.subscription s set sub_id = (select sub_id from pgq.subscription where sub_consumer = 2), sub_last_tick = null
 where sub_consumer = 3;
create view gone as
    select consumer_name, policy, last_tick, last_seen >= '1 h' as last_seen, unread_for >= '1 h' as unread, detached is not null as detached
      from pgq.gone_consumers();
create function later(i_time interval) returns void language sql as $$
    update pgq.tick set tick_time = tick_time - i_time;
    update pgq.subscription set sub_active = sub_active - i_time;
    update pgq.queue set queue_switch_time = queue_switch_time - i_time, queue_read_time = queue_read_time - i_time;
$$;
create function read(i_consumer text) returns bigint language plpgsql as $$
declare
    b bigint := pgq.next_batch('q', i_consumer);
    n bigint;
begin
    select count(*) into n from pgq.get_batch_events(b);
    perform pgq.finish_batch(b);
    return n;
end;
$$;
create function rotate() returns text language plpgsql as $$
declare
    before integer := (select queue_cur_table from pgq.queue);
begin
    perform pgq.maint_rotate_tables_step1('q');
    return format('%s -> %s', before, (select queue_cur_table from pgq.queue));
end;
$$;

-- Rule: the settings are checked.
select pgq.set_queue_config('q', 'gone_policy', 'forget');
select pgq.set_queue_config('q', 'gone_after', '-1 h');
select pgq.set_queue_config('q', 'gone_after', '1 h');
select pgq.set_queue_config('q', 'gone_policy', 'detach');

-- Rule: who has read all is not gone, however long that is ago.
select later('3 h');
select * from gone;
-- Rule: nor who has something to read only since a short while.
select pgq.insert_event('q', 't', '1');
select pgq.ticker('q');
select * from gone;
select read('here');
select later('50 min');
select * from gone;
select pgq.insert_event('q', 't', '2');
select pgq.ticker('q');
select later('20 min');
select * from gone;
-- Rule: policy keep names nobody, alarm names, neither detaches.
select pgq.set_queue_config('q', 'gone_policy', 'keep');
select * from gone;
select func_name from pgq.maint_operations() where func_name ~ 'gone';
select pgq.set_queue_config('q', 'gone_policy', 'alarm');
select * from gone;
select pgq.maint_gone_consumers();
select * from gone;
-- Rule: detach: rotation goes on without it; its subconsumer goes, with the events of its batch to the retry queue.
select pgq.set_queue_config('q', 'gone_policy', 'detach');
select func_name from pgq.maint_operations() where func_name ~ 'gone';
update pgq.subscription set sub_batch = 7, sub_last_tick = 1, sub_next_tick = 2 where sub_consumer = 3;
select later('1 h');
\set VERBOSITY terse
set client_min_messages = error;
select pgq.maint_gone_consumers();
reset client_min_messages;
select * from gone;
select consumer_name from pgq.get_consumer_info();
select ev_data, ev_retry from pgq.retry_queue;
-- Rule: one that comes back in time goes on where it was.
select read('away');
select * from gone;
select later('2 h');
set client_min_messages = error;
select pgq.maint_gone_consumers();
reset client_min_messages;
select * from gone;
select read('here');
select rotate();
select pgq.maint_rotate_tables_step2();
select pgq.ticker('q');
select read('here');
select later('3 h');
select reason, who from pgq.why_not_rotated() order by 2;
select rotate();
select pgq.maint_rotate_tables_step2();
select pgq.ticker('q');
select read('here');
select later('3 h');
select rotate();
-- Rule: one that comes too late gets an error, until it is told where to go on; not by register_consumer.
\set VERBOSITY default
do $$
begin
    perform pgq.next_batch('q', 'away');
exception
    when object_not_in_prerequisite_state then raise notice '%', regexp_replace(sqlerrm, 'at .*: ', 'at TIME: ');
end;
$$;
select pgq.register_consumer('q', 'away');
do $$ begin perform pgq.next_batch('q', 'away'); exception when others then raise notice '%', sqlstate; end; $$;
select * from gone;
select pgq.register_consumer_at('q', 'away', (select last_tick from pgq.replay_range('q')));
select pgq.next_batch('q', 'away');
select * from gone;

-- Rule: retention: after all have read, the events stay for so long.
select pgq.maint_rotate_tables_step2();
select pgq.set_queue_config('q', 'retention', '10 h');
select pgq.insert_event('q', 't', '3');
select pgq.ticker('q');
select later('3 h');
select rotate();
select reason, who from pgq.why_not_rotated() order by 2;
select read('here'), read('away');
select rotate();
select queue_read_time is not null as read from pgq.queue;
select reason, who from pgq.why_not_rotated() order by 2;
select later('9 h');
select rotate();
-- Rule: it begins anew when a consumer is moved back.
select pgq.register_consumer_at('q', 'away', (select first_tick from pgq.replay_range('q')));
update pgq.tick set tick_snapshot = '3:3:' where tick_id = (select first_tick from pgq.replay_range('q'));
select rotate();
select queue_read_time is not null as read from pgq.queue;
select pgq.register_consumer_at('q', 'away', (select last_tick from pgq.replay_range('q')));
select rotate();
select queue_read_time is not null as read from pgq.queue;
select later('9 h');
select rotate();
select later('1 h');
select rotate();
drop extension pgq cascade;
