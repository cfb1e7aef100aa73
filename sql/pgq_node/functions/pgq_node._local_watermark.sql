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
declare
    node record;
    mark bigint;
begin
    select n.node_type, n.worker_name into node from pgq_node.node_info n where n.queue_name = i_queue_name;
    if node.node_type = 'leaf' then
        return (select l.last_tick_id from pgq_node._local_state(i_queue_name, node.worker_name) l);
    elsif node.node_type is null then
        return null;
    end if;
    select min(s.sub_last_tick) into mark
      from pgq.queue q
     cross join pgq._subscriptions(q.queue_id) s
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name <> '.global_watermark';
    return coalesce(mark, pgq_node._top_tick(i_queue_name));
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
