-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._top_tick(1)
--
--      Find the newest tick of a local queue.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      id of the tick, NULL: no such queue, or no tick
-- Tables:
--      select: pgq.queue, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node._top_tick(i_queue_name text)
returns bigint as $$
begin
    return (
        select t.tick_id
          from pgq.queue q
          join pgq.tick t on t.tick_queue = q.queue_id
         where q.queue_name = i_queue_name
         order by t.tick_queue desc, t.tick_id desc
         limit 1);
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
