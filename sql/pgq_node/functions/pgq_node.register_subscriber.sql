-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.register_subscriber(4)
--
--      Subscribe a node here: its worker gets a position on the queue, and its watermark another, which keeps what
--      the node and those behind it may still need. May be repeated: with a tick, the worker is moved there; without
--      one, nothing changes.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_remote_node_name  - name of the node
--      i_remote_worker_name - consumer name of its worker
--      i_custom_tick_id    - tick from which the worker goes on, NULL: the global watermark, where a new node starts
-- Returns:
--      200 - done; global_watermark: that of this node
--      401 - this node is a leaf; or it is the node itself; or the node is subscribed with another worker
--      404 - this database is no node of such a queue, or the location of the node is not registered
-- Tables:
--      select: pgq_node.node_info, pgq_node.node_location
--      insert: pgq_node.subscriber_info
--      insert, update: by pgq.register_consumer_at
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for, so that two callers do not register the same
-- Raises:
--      null_value_not_allowed - no name of worker
--      undefined_object - the tick is not here
-- ----------------------------------------------------------------------
create or replace function pgq_node.register_subscriber(
    i_queue_name text, i_remote_node_name text, i_remote_worker_name text, i_custom_tick_id bigint,
    out ret_code integer, out ret_note text, out global_watermark bigint)
returns record as $$
declare
    node record;
    old_worker text;
    mark_name text := format('.%s.watermark', i_remote_node_name);
begin
    select n.node_type, n.node_name into node
      from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown queue: %s', i_queue_name);
        return;
    end if;
    ret_code := 401;
    if node.node_type = 'leaf' then
        ret_note := 'Cannot subscribe to leaf node';
        return;
    elsif node.node_name = i_remote_node_name then
        ret_note := format('Node %s cannot subscribe to itself', i_remote_node_name);
        return;
    end if;
    select s.worker_name into old_worker
      from pgq_node.subscriber_info s
     where s.queue_name = i_queue_name and s.subscriber_node = i_remote_node_name;
    if old_worker <> i_remote_worker_name then
        ret_note := format('Node %s is subscribed with worker %s: unregister it first',
                           i_remote_node_name, old_worker);
        return;
    end if;
    perform 1 from pgq_node.node_location l
      where l.queue_name = i_queue_name and l.node_name = i_remote_node_name;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown location: %s/%s, register it first', i_queue_name, i_remote_node_name);
        return;
    end if;

    global_watermark := coalesce(pgq_node._global_watermark(i_queue_name), pgq_node._local_watermark(i_queue_name));
    if old_worker is null then
        perform pgq.register_consumer_at(i_queue_name, mark_name, global_watermark);
        perform pgq.register_consumer_at(i_queue_name, i_remote_worker_name,
                                         coalesce(i_custom_tick_id, global_watermark));
        insert into pgq_node.subscriber_info (queue_name, subscriber_node, worker_name, watermark_name)
        values (i_queue_name, i_remote_node_name, i_remote_worker_name, mark_name);
    elsif i_custom_tick_id is not null then
        perform pgq.register_consumer_at(i_queue_name, i_remote_worker_name, i_custom_tick_id);
    end if;
    ret_code := 200;
    ret_note := format('Subscriber registered: %s', i_remote_node_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
