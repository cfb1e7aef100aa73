-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.get_worker_state(1)
--
--      As pgq_node.get_consumer_state for the worker of the node, and what it has to know of the node.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      100 - Ok
--      404 - this database is no node of such a queue
--      local_queue_top - newest tick of the local queue, NULL on a leaf
-- Tables:
--      select: all of pgq_node, pgq.queue, pgq.tick, pgq.subscription, pgq.consumer
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.get_worker_state(
    i_queue_name text, out ret_code integer, out ret_note text, out node_type text, out node_name text,
    out completed_tick bigint, out provider_node text, out provider_location text, out paused boolean,
    out uptodate boolean, out cur_error text, out worker_name text, out global_watermark bigint,
    out local_watermark bigint, out local_queue_top bigint, out combined_queue text, out combined_type text)
returns record as $$
declare
    s record;
begin
    select n.worker_name, n.combined_queue, c.node_type
      into worker_name, combined_queue, combined_type
      from pgq_node.node_info n
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
     where n.queue_name = i_queue_name;

    select * into s from pgq_node.get_consumer_state(i_queue_name, worker_name);
    ret_code := s.ret_code;
    ret_note := s.ret_note;
    node_type := s.node_type;
    node_name := s.node_name;
    if ret_code <> 100 then
        return;
    end if;
    completed_tick := s.completed_tick;
    provider_node := s.provider_node;
    provider_location := s.provider_location;
    paused := s.paused;
    uptodate := s.uptodate;
    cur_error := s.cur_error;
    if node_type = 'leaf' then
        local_watermark := completed_tick;
    else
        local_watermark := pgq_node._local_watermark(i_queue_name);
        global_watermark := pgq_node._global_watermark(i_queue_name);
        local_queue_top := pgq_node._top_tick(i_queue_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
