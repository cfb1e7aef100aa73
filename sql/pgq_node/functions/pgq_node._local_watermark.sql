-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._local_watermark(1)
--
--      Give the tick that all consumers of this node have passed, and the nodes behind it: the lowest position on
--      the local queue, but for that of the global watermark. Without consumers the newest tick, on a leaf the
--      position of its worker.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      id of the tick, NULL: not a node
-- Tables:
--      select: pgq_node.node_info, pgq_node.local_state, pgq.queue, pgq.tick, pgq.subscription, pgq.consumer
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node._local_watermark(i_queue_name text)
returns bigint as $$
    select case when n.node_type = 'leaf' then
               (select l.last_tick_id
                  from pgq_node.local_state l
                 where l.queue_name = n.queue_name and l.consumer_name = n.worker_name)
           else coalesce(
               (select min(s.sub_last_tick)
                  from pgq.queue q
                  join pgq.subscription s on s.sub_queue = q.queue_id
                  join pgq.consumer c on c.co_id = s.sub_consumer
                 where q.queue_name = n.queue_name and c.co_name <> '.global_watermark'),
               pgq_node._top_tick(n.queue_name))
           end
      from pgq_node.node_info n
     where n.queue_name = i_queue_name
$$ language sql stable set search_path = pg_catalog, pg_temp;
