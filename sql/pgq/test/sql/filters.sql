-- SPDX-License-Identifier: ISC
-- next_batch_custom: min_lag, min_count, min_interval.
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
select pgq.register_consumer('q', 'c');

-- Ticks as of a known past: one per minute, 10 events each. Tick 1 is moved to the start of them.
delete from pgq.tick where tick_id > 1;
update pgq.tick set tick_time = now() - interval '60 min', tick_event_seq = 0;
insert into pgq.tick (tick_queue, tick_id, tick_time, tick_event_seq)
select 1, i, now() - interval '60 min' + (i - 1) * interval '1 min', (i - 1) * 10 from generate_series(2, 11) i;

-- The newest tick is 10 minutes and 100 events after the first, and 50 minutes old.
create function try(min_lag interval, min_count int, min_interval interval) returns bigint as $$
declare
    res bigint;
begin
    select cur_tick_id into res from pgq.next_batch_custom('q', 'c', min_lag, min_count, min_interval);
    update pgq.subscription set sub_batch = null, sub_next_tick = null;
    return res;
end;
$$ language plpgsql;

-- Rule: without wishes, the next tick.
select try(null, null, null);
-- Rule: min_lag looks at the tick that would end the batch.
select try('58 min', null, null), try('60 min', null, null), try('49 min', 100, null), try('51 min', 100, null);
-- Rule: refused if the newest tick does not have it; the newest if it is not above twice; else the first that has it.
select try(null, 101, null) as refused, try(null, 100, null) as newest, try(null, 50, null) as not_above_twice,
       try(null, 49, null) as first_with_count, try(null, 1, null) as first;
select try(null, null, '11 min') as refused, try(null, null, '10 min') as newest,
       try(null, null, '5 min') as not_above_twice, try(null, null, '3 min') as first_with_interval;
-- Rule: with both, one is enough.
select try(null, 1000, '5 min') as by_interval, try(null, 60, '1 h') as by_count, try(null, 1000, '1 h') as refused,
       try(null, 30, '2 min') as first_of_either;
-- Rule: find_tick_helper says the same by itself.
select next_tick_id, next_tick_seq from pgq.find_tick_helper(1, 1, now() - interval '60 min', 0, 20, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '60 min', 0, null, null);
select * from pgq.find_tick_helper(1, 11, now() - interval '50 min', 100, 0, null);

-- Rule: an open batch is given whatever the wishes.
select batch_id, cur_tick_id from pgq.next_batch_custom('q', 'c', null, null, null);
select batch_id, cur_tick_id from pgq.next_batch_custom('q', 'c', '1 year', 1000000, '1 year');

-- Rule: a lost tick is an error, not a batch.
update pgq.subscription set sub_last_tick = 99;
select pgq.next_batch('q', 'c');
update pgq.subscription set sub_last_tick = null;
select pgq.next_batch('q', 'c');
