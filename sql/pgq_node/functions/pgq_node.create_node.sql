-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.create_node(7)
--
--      Make this database a node of a cascade. Its location, and that of its provider, are registered before. A new
--      node starts at the global watermark of the cascade.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_node_type         - root, branch, leaf
--      i_node_name         - name of this node
--      i_worker_name       - consumer name of its worker
--      i_provider_name     - branch, leaf: node that it reads
--      i_global_watermark  - branch, leaf: global watermark of the provider
--      i_combined_queue    - leaf: local queue into which the worker copies the events
-- Returns:
--      200 - done
--      401 - it is a node of the queue already, or the arguments do not fit, or a location is not registered
-- Tables:
--      insert: pgq_node.node_info, pgq_node.local_state
--      create: by pgq.create_queue, pgq.ticker, pgq.register_consumer_at, for root and branch
-- Locks:
--      none; of two callers the second waits for the first
-- Raises:
--      null_value_not_allowed - no name of the queue
-- ----------------------------------------------------------------------
create or replace function pgq_node.create_node(
    i_queue_name text, i_node_type text, i_node_name text, i_worker_name text, i_provider_name text,
    i_global_watermark bigint, i_combined_queue text, out ret_code integer, out ret_note text)
returns record as $$
declare
    start_tick bigint := i_global_watermark;
begin
    if i_queue_name is null then
        raise exception 'queue name must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    ret_code := 401;
    ret_note := pgq_node._check_new_node(i_queue_name, i_node_type, i_node_name, i_worker_name, i_provider_name,
                                         i_global_watermark, i_combined_queue);
    if ret_note is not null then
        return;
    end if;
    insert into pgq_node.node_info (queue_name, node_type, node_name, worker_name, combined_queue)
    values (i_queue_name, i_node_type, i_node_name, i_worker_name, i_combined_queue)
    on conflict (queue_name) do nothing;
    if not found then
        ret_note := 'Node already initialized';
        return;
    end if;

    if i_node_type = 'root' then
        perform pgq.create_queue(i_queue_name);
        perform pgq.register_consumer(i_queue_name, '.global_watermark');
        start_tick := pgq_node._global_watermark(i_queue_name);
    elsif i_node_type = 'branch' then
        perform pgq_node._create_branch_queue(i_queue_name, i_global_watermark);
    end if;
    insert into pgq_node.local_state (queue_name, consumer_name, provider_node, last_tick_id)
    values (i_queue_name, i_worker_name, coalesce(i_provider_name, i_node_name), start_tick);
    ret_code := 200;
    ret_note := format('Node "%s" initialized for queue "%s" with type "%s"', i_node_name, i_queue_name, i_node_type);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
