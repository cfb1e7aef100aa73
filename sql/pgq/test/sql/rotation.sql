-- SPDX-License-Identifier: ISC
-- Rotation: step 1, step 2, who holds it up, which ticks stay.
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
-- Rule: not due before the period has passed.
select pgq.maint_rotate_tables_step1('q');
select queue_cur_table, queue_switch_step2 is not null as complete from pgq.queue;
select pgq.maint_rotate_tables_step1('none'), pgq.maint_rotate_tables_step1(null);

create function rotate() returns text language plpgsql as $$
declare
    before integer;
    res record;
begin
    update pgq.queue set queue_switch_time = queue_switch_time - interval '3 hours' returning queue_cur_table into before;
    perform pgq.maint_rotate_tables_step1('q');
    select queue_cur_table, queue_switch_step2 is null as pending into res from pgq.queue;
    return format('%s -> %s%s', before, res.queue_cur_table, case when res.pending then ', step 2 is due' else '' end);
end;
$$;

-- Rule: without a consumer it goes on, one table at a time; nothing more until step 2.
select rotate();
select pgq.current_event_table('q');
select rotate();
select pgq.maint_rotate_tables_step2();
select queue_switch_step2 > queue_switch_step1 as later from pgq.queue;

-- Rule: the newest tick stays, however old it is: who registers begins there.
select rotate();
select pgq.maint_rotate_tables_step2();
select rotate();
select pgq.maint_rotate_tables_step2();
select rotate();
select pgq.maint_rotate_tables_step2();
select tick_id from pgq.tick;

-- Rule: a consumer whose last tick is older than step 2 holds it up; its events are in either table.
select pgq.register_consumer('q', 'c');
select pgq.insert_event('q', 'a', 'table 1');
select pgq.ticker('q');
select rotate();
select pgq.next_batch('q', 'c');
select * from pgq.batch_event_tables(1);
select ev_data from pgq.get_batch_events(1);
select pgq.finish_batch(1);
select rotate();

-- Rule: a batch across the rotation reads both tables, until it starts after step 2: then the current one.
select pgq.insert_event('q', 'b', 'table 2, before step 2');
select pgq.maint_rotate_tables_step2();
select pgq.insert_event('q', 'c', 'table 2, after step 2');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select * from pgq.batch_event_tables(2);
select ev_data from pgq.get_batch_events(2);
select pgq.finish_batch(2);
select pgq.insert_event('q', 'd', 'table 2, later');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select * from pgq.batch_event_tables(3);
select ev_data from pgq.get_batch_events(3);
select pgq.finish_batch(3);

-- Rule: a batch that ended before the rotation needs only the previous table.
select pgq.insert_event('q', 'e', 'table 2, last');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select rotate();
select pgq.maint_rotate_tables_step2();
select * from pgq.batch_event_tables(4);
select ev_data from pgq.get_batch_events(4);

-- Rule: ticks from before the rotation before are gone, those that consumers need are not.
select min(tick_id), max(tick_id) from pgq.tick;
select pgq.finish_batch(4);
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select pgq.finish_batch(5);
select rotate();
select pgq.maint_rotate_tables_step2();
select min(tick_id), max(tick_id), (select sub_last_tick from pgq.subscription) from pgq.tick;

-- Rule: the table that becomes current is empty; the ring's third is never read.
select pgq.current_event_table('q');
select tableoid::regclass, ev_data from pgq.event_template order by ev_id;

-- Rule: subconsumers without a batch do not count, a consumer without its tick is an error.
update pgq.subscription set sub_last_tick = null;
select rotate();
select pgq.maint_rotate_tables_step2();
update pgq.subscription set sub_last_tick = 999;
select rotate();
-- Rule: from the future: an error.
update pgq.queue set queue_switch_step1 = 1000000000;
update pgq.queue set queue_switch_time = queue_switch_time - interval '3 hours';
\set VERBOSITY sqlstate
select pgq.maint_rotate_tables_step1('q');
