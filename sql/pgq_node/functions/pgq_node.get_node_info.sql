-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.get_node_info(1)
--
--      Tell all about this node.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      100 - Ok
--      404 - this database is no node of such a queue
--      global_watermark    - tick that all nodes have passed, as far as known here; NULL on a leaf
--      local_watermark     - tick that all consumers of this node, and nodes behind it, have passed
--      combined_queue, combined_type - local queue into which a leaf copies, and what this node is there
--      worker_last_tick    - tick that the worker has done, on the root the newest tick
--      target_for          - queues whose leaf here copies into this queue; NULL: none
-- Tables:
--      select: all of pgq_node, pgq.queue, pgq.tick, pgq.subscription, pgq.consumer
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.get_node_info(
    i_queue_name text, out ret_code integer, out ret_note text, out node_type text, out node_name text,
    out global_watermark bigint, out local_watermark bigint, out provider_node text, out provider_location text,
    out combined_queue text, out combined_type text, out worker_name text, out worker_paused boolean,
    out worker_uptodate boolean, out worker_last_tick bigint, out node_attrs text, out target_for text[])
returns record as $$
begin
    select 100, 'Ok', n.node_type, n.node_name,
           case when n.node_type <> 'leaf' then pgq_node._global_watermark(i_queue_name) end,
           pgq_node._local_watermark(i_queue_name), w.provider_node, p.node_location,
           n.combined_queue, c.node_type, n.worker_name, w.paused, w.uptodate,
           case when n.node_type = 'root' then pgq_node._top_tick(i_queue_name) else w.last_tick_id end,
           n.node_attrs,
           case when n.node_type <> 'leaf' then
               (select array_agg(f.queue_name order by f.queue_name)
                  from pgq_node.node_info f
                 where f.combined_queue = n.queue_name and f.node_type = 'leaf')
           end
      into ret_code, ret_note, node_type, node_name, global_watermark, local_watermark, provider_node,
           provider_location, combined_queue, combined_type, worker_name, worker_paused, worker_uptodate,
           worker_last_tick, node_attrs, target_for
      from pgq_node.node_info n
      left join pgq_node._local_state(n.queue_name, n.worker_name) w on true
      left join pgq_node.node_location p on p.queue_name = w.queue_name and p.node_name = w.provider_node
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
     where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown queue: %s', i_queue_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
