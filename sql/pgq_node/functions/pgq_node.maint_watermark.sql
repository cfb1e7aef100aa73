-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.maint_watermark(1)
--
--      Have the root publish the global watermark when it has not moved for 5 minutes. Listed by
--      pgq.maint_operations.
--
-- Parameters:
--      i_queue_name        - name of the queue
-- Returns:
--      0
-- Tables:
--      select: pgq_node.node_info, pgq.queue, pgq.consumer, pgq.subscription, pgq.tick
--      as pgq_node.set_global_watermark
-- Locks:
--      as pgq_node.set_global_watermark
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node.maint_watermark(i_queue_name text)
returns integer as $$
begin
    perform 1
       from pgq_node.node_info n
       join pgq.queue q on q.queue_name = n.queue_name
       join pgq.consumer c on c.co_name = '.global_watermark'
       join pgq.subscription s on s.sub_queue = q.queue_id and s.sub_consumer = c.co_id
       join pgq.tick t on t.tick_queue = q.queue_id and t.tick_id = s.sub_last_tick
      where n.queue_name = i_queue_name and n.node_type = 'root' and not q.queue_disable_insert
        and t.tick_time <= now() - interval '5 minutes';
    if found then
        perform pgq_node.set_global_watermark(i_queue_name, null);
    end if;
    return 0;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
