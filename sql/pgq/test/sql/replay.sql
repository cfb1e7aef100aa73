-- SPDX-License-Identifier: ISC
-- register_consumer_at, _at_time, _at_event: read again what is still there.
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
select pgq.set_queue_config('q', 'batch_max_events', '2');
select pgq.register_consumer('q', 'c');
create function read(i_consumer text) returns text language plpgsql as $$
declare
    b bigint;
    part text;
    res text[] := '{}';
begin
    loop
        b := pgq.next_batch('q', i_consumer);
        exit when b is null;
        select string_agg(ev_data, ' ') into part from pgq.get_batch_events(b);
        res := res || coalesce(part, '-');
        perform pgq.finish_batch(b);
    end loop;
    return array_to_string(res, ' | ');
end;
$$;
select pgq.insert_event('q', 't', 'a');
select pgq.ticker('q');
select pgq.insert_event('q', 't', d) from unnest('{b,c,d,e,f}'::text[]) d;
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'g');
select pgq.ticker('q');
select read('c');
-- Ticks as of a known past: one per hour, the cut ones at the same time.
update pgq.tick set tick_time = timestamptz '2024-01-01 00:00+00' + interval '1 h' * case tick_id when 1 then 0 when 2 then 1 when 6 then 3 else 2 end;

-- Rule: what is there is said.
set timezone = 'UTC';
select * from pgq.replay_range('q');
select * from pgq.replay_range('none');
-- Rule: to a tick, back or on; an open batch is given up.
select pgq.register_consumer_at('q', 'c', 2);
select read('c');
select pgq.register_consumer_at('q', 'c', 4), pgq.next_batch('q', 'c') > 0 as open, pgq.register_consumer_at('q', 'c', 3);
select read('c');
select pgq.register_consumer_at('q', 'c', 77);
-- Rule: to a time: all that was committed since, and at least one tick more.
select pgq.register_consumer_at_time('q', 'c', '2024-01-01 02:30+00');
select read('c');
select pgq.register_consumer_at_time('q', 'c', '2024-01-01 03:00+00'), read('c');
select pgq.register_consumer_at_time('q', 'c', '2024-01-01 00:30+00'), read('c');
select pgq.register_consumer_at_time('q', 'c', '2023-12-31 23:59+00');
select pgq.register_consumer_at_time('q', 'c', null);
select pgq.register_consumer_at_time('none', 'c', now());
-- Rule: to an event, also within a transaction that was cut: its first batch has it.
select ev_data, pgq.register_consumer_at_event('q', 'c', ev_id), read('c') from pgq.event_template order by ev_id;
select pgq.insert_event('q', 't', 'h');
select pgq.register_consumer_at_event('q', 'c', (select max(ev_id) from pgq.event_template));
select read('c');
select pgq.ticker('q');
select read('c');
\set VERBOSITY terse
select pgq.register_consumer_at_event('q', 'c', 77);
select pgq.register_consumer_at_event('q', 'c', null);
select pgq.register_consumer_at_event('none', 'c', 1);
\set VERBOSITY default
-- Rule: a new consumer too can begin in the past.
select pgq.register_consumer_at_event('q', 'new', 2);
select read('new');
select pgq.register_consumer_at_time('q', 'newer', '2024-01-01 01:00+00');
select last_tick from pgq.get_consumer_info('q', 'newer');
select pgq.unregister_consumer('q', 'newer');

-- Rule: not to what has been rotated away.
update pgq.queue set queue_rotation_period = '0';
select pgq.maint_rotate_tables_step1('q');
select pgq.maint_rotate_tables_step2();
select pgq.ticker('q');
select read('c'), read('new');
select pgq.maint_rotate_tables_step1('q');
select pgq.maint_rotate_tables_step2();
select pgq.ticker('q');
update pgq.tick set tick_time = '2024-01-02 00:00+00';
select queue_cur_table, first_tick from pgq.queue, pgq.replay_range('q');
select pgq.register_consumer_at_event('q', 'c', 1);
select pgq.register_consumer_at_time('q', 'c', '2024-01-01 23:00+00');
select pgq.register_consumer_at('q', 'c', 2);
drop extension pgq cascade;
