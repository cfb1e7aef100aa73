-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.change_consumer_provider(3)
--
--      Have a cascaded consumer read another node from now on. It sees that before its next batch, and then sets
--      uptodate.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
--      i_new_provider      - node that it shall read
-- Returns:
--      200 - done
--      401 - the worker of a node cannot read the node itself
--      404 - there is no such consumer, or the node's location is not registered
-- Tables:
--      select: pgq_node.node_location, pgq_node.node_info
--      update: pgq_node.local_state
-- Locks:
--      the row updated
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.change_consumer_provider(
    i_queue_name text, i_consumer_name text, i_new_provider text, out ret_code integer, out ret_note text)
returns record as $$
begin
    ret_code := 404;
    perform 1 from pgq_node.node_location l
      where l.queue_name = i_queue_name and l.node_name = i_new_provider;
    if not found then
        ret_note := format('New node not found: %s', i_new_provider);
        return;
    end if;
    perform 1 from pgq_node.node_info n
      where n.queue_name = i_queue_name and n.node_name = i_new_provider and n.worker_name = i_consumer_name
        and n.node_type <> 'root';
    if found then
        ret_code := 401;
        ret_note := format('Node %s cannot be its own provider', i_new_provider);
        return;
    end if;
    update pgq_node.local_state l set provider_node = i_new_provider, uptodate = false
     where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name;
    if not found then
        ret_note := format('Unknown consumer: %s/%s', i_queue_name, i_consumer_name);
        return;
    end if;
    perform pg_notify('pgq_node', i_queue_name);
    ret_code := 200;
    ret_note := format('Consumer provider node set to: %s', i_new_provider);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
