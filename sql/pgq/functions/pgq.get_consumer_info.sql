-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.get_consumer_info(2)
--
--      Say where consumers stand.
--
-- Parameters:
--      i_queue_name    - name of the queue, NULL: any
--      i_consumer_name - name of the consumer, NULL: any
-- Returns:
--      a row per subscription, by queue and consumer. lag: age of the last tick that it has finished. last_seen:
--      time since it registered, opened or closed a batch. pending_events: numbered between that tick and the
--      newest, with the gaps of the sequence.
-- Tables:
--      select: pgq.queue, pgq.consumer, pgq.subscription, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.get_consumer_info(
    i_queue_name text, i_consumer_name text,
    out queue_name text, out consumer_name text, out lag interval, out last_seen interval, out last_tick bigint,
    out current_batch bigint, out next_tick bigint, out pending_events bigint)
returns setof record as $$
begin
    return query
    select q.queue_name, c.co_name, current_timestamp - t.tick_time, current_timestamp - s.sub_active,
           s.sub_last_tick, s.sub_batch, s.sub_next_tick, top.tick_event_seq - t.tick_event_seq
      from pgq.queue q
      join pgq.subscription s on s.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = s.sub_consumer
      left join pgq.tick t on t.tick_queue = s.sub_queue and t.tick_id = s.sub_last_tick
      left join lateral (
           select n.tick_event_seq
             from pgq.tick n where n.tick_queue = q.queue_id order by n.tick_id desc limit 1) top on true
     where (i_queue_name is null or q.queue_name = i_queue_name)
       and (i_consumer_name is null or c.co_name = i_consumer_name)
     order by 1, 2;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.get_consumer_info(1)
--
--      The same for all consumers of a queue.
-- ----------------------------------------------------------------------
create or replace function pgq.get_consumer_info(
    i_queue_name text,
    out queue_name text, out consumer_name text, out lag interval, out last_seen interval, out last_tick bigint,
    out current_batch bigint, out next_tick bigint, out pending_events bigint)
returns setof record as $$
begin
    return query select * from pgq.get_consumer_info(i_queue_name, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.get_consumer_info(0)
--
--      The same for all consumers of all queues.
-- ----------------------------------------------------------------------
create or replace function pgq.get_consumer_info(
    out queue_name text, out consumer_name text, out lag interval, out last_seen interval, out last_tick bigint,
    out current_batch bigint, out next_tick bigint, out pending_events bigint)
returns setof record as $$
begin
    return query select * from pgq.get_consumer_info(null, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
