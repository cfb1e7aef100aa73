-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.get_batch_info(1)
--
--      Describe an open batch.
--
-- Parameters:
--      x_batch_id  - id of the batch
-- Returns:
--      one row, all NULL if there is no such batch. lag: age of the tick that ends it.
-- Tables:
--      select: pgq.subscription, pgq.queue, pgq.consumer, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.get_batch_info(
    x_batch_id bigint,
    out queue_name text, out consumer_name text, out batch_start timestamptz, out batch_end timestamptz,
    out prev_tick_id bigint, out tick_id bigint, out lag interval, out seq_start bigint, out seq_end bigint)
as $$
begin
    select q.queue_name, c.co_name, last.tick_time, cur.tick_time, s.sub_last_tick, s.sub_next_tick,
           current_timestamp - cur.tick_time, last.tick_event_seq, cur.tick_event_seq
      into queue_name, consumer_name, batch_start, batch_end, prev_tick_id, tick_id, lag, seq_start, seq_end
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
      left join pgq.tick last on last.tick_queue = s.sub_queue and last.tick_id = s.sub_last_tick
      left join pgq.tick cur on cur.tick_queue = s.sub_queue and cur.tick_id = s.sub_next_tick
     where s.sub_batch = x_batch_id;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
