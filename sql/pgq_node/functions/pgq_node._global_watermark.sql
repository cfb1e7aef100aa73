-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._global_watermark(1)
--
--      Give the tick that all nodes of the cascade have passed, as far as this node knows.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      id of the tick, NULL: leaf, or not a node
-- Tables:
--      select: pgq.queue, pgq.subscription, pgq.consumer
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node._global_watermark(i_queue_name text)
returns bigint as $$
begin
    return (
        select s.sub_last_tick
          from pgq.queue q
         cross join pgq.consumer c
          join pgq.subscription s on s.ctid = pgq._subscription_now(q.queue_id, c.co_id)
         where q.queue_name = i_queue_name and c.co_name = '.global_watermark');
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
