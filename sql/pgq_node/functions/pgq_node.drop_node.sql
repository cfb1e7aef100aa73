-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.drop_node(2)
--
--      Remove a node from the cascade, in the database of one member. Called on the node itself, the queue goes with
--      all that is in it; a queue that is not cascaded stays. Called on each of the others, they forget the node.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_node_name         - name of the node
-- Returns:
--      200 - done, also if there was nothing to do
--      403 - a consumer here reads that node
--      405 - it is the provider of this node
-- Tables:
--      delete: all of pgq_node, pgq.subscription, pgq.consumer
--      drop: by pgq.drop_queue
--      insert: by pgq.insert_event, event pgq.unregister-location
-- Locks:
--      node_info row: FOR UPDATE; as pgq.drop_queue
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node.drop_node(
    i_queue_name text, i_node_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    node record;
begin
    select n.node_type, n.node_name, l.provider_node into node
      from pgq_node.node_info n
      left join pgq_node.local_state l on l.queue_name = n.queue_name and l.consumer_name = n.worker_name
     where n.queue_name = i_queue_name
       for update of n;
    if node.node_name <> i_node_name then
        if node.provider_node = i_node_name then
            ret_code := 405;
            ret_note := format('Cannot drop provider node: %s', i_node_name);
            return;
        end if;
        select f.ret_code, f.ret_note into ret_code, ret_note
          from pgq_node.unregister_location(i_queue_name, i_node_name) f;
        if ret_code >= 400 then
            return;
        end if;
    else
        delete from pgq_node.subscriber_info s where s.queue_name = i_queue_name;
        delete from pgq_node.local_state l where l.queue_name = i_queue_name;
        delete from pgq_node.node_info n where n.queue_name = i_queue_name;
        if node.node_type in ('root', 'branch') then
            perform pgq.drop_queue(i_queue_name, true);
        end if;
        delete from pgq_node.node_location l where l.queue_name = i_queue_name;
    end if;
    ret_code := 200;
    ret_note := format('Node dropped: %s', i_node_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
