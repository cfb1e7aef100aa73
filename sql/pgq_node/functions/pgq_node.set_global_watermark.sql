-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_global_watermark(2)
--
--      Move the global watermark of this node: what lies before it may be rotated away. It is never moved back. The
--      root computes it and tells all others by an event.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_watermark         - tick that all nodes have passed; NULL, only on the root: the local watermark
-- Returns:
--      200 - moved; or left where it is: it was further already, or this branch does not have the tick
--      100 - this node is a leaf: ignored
--      404 - this database is no node of such a queue
--      500 - no tick given on a branch
-- Tables:
--      select: pgq_node.node_info, pgq.queue, pgq.tick
--      update: by pgq.register_consumer_at; on the root pgq_node.local_state
--      insert: by pgq.insert_event, event pgq.global-watermark
-- Locks:
--      subscription row of the watermark: FOR UPDATE
-- Raises:
--      undefined_object - on the root, the tick is not here
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_global_watermark(
    i_queue_name text, i_watermark bigint, out ret_code integer, out ret_note text)
returns record as $$
declare
    node record;
    old_mark bigint;
    new_mark bigint := i_watermark;
begin
    select n.node_type, n.worker_name into node
      from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown queue: %s', i_queue_name);
        return;
    elsif node.node_type = 'leaf' then
        ret_code := 100;
        ret_note := 'Ignoring global watermark in leaf';
        return;
    elsif node.node_type = 'branch' and i_watermark is null then
        ret_code := 500;
        ret_note := 'No tick given for the global watermark of a branch';
        return;
    end if;

    ret_code := 200;
    if node.node_type = 'branch' and not pgq_node._tick_exists(i_queue_name, i_watermark) then
        ret_note := format('Skipping global watermark update to %s', i_watermark);
        return;
    end if;
    select s.sub_last_tick into old_mark
      from pgq.queue q
      join pgq.subscription s on s.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = '.global_watermark'
       for update of s;
    -- A tick that is gone is no position: so it is with what a dead root has lost.
    if not pgq_node._tick_exists(i_queue_name, old_mark) then
        old_mark := null;
    end if;
    if node.node_type = 'root' then
        new_mark := coalesce(i_watermark, pgq_node._local_watermark(i_queue_name));
    end if;
    new_mark := greatest(new_mark, old_mark);

    if new_mark is distinct from old_mark then
        perform pgq.register_consumer_at(i_queue_name, '.global_watermark', new_mark);
    end if;
    if node.node_type = 'root' then
        perform pgq_node._publish_watermark(i_queue_name, node.worker_name, new_mark);
    end if;
    ret_note := format('Global watermark set to %s', new_mark);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
