-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.unregister_location(2)
--
--      Forget a node of the cascade. If it is subscribed here, that ends first. The root tells all others of it by an
--      event.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_node_name         - name of the node
-- Returns:
--      200 - done
--      301 - there was no such location
--      403 - it is the location of this node itself, or of a node that a consumer here reads
-- Tables:
--      delete: pgq_node.node_location, pgq_node.subscriber_info, pgq.subscription, pgq.consumer
--      insert: by pgq.insert_event, event pgq.unregister-location
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for
-- Raises:
--      as pgq.insert_event - on a root that is being demoted
-- ----------------------------------------------------------------------
create or replace function pgq_node.unregister_location(
    i_queue_name text, i_node_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    node record;
    reader text;
begin
    select n.node_type, n.node_name, n.worker_name into node
      from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    if node.node_name = i_node_name then
        ret_code := 403;
        ret_note := 'Cannot drop node''s own location';
        return;
    end if;
    select l.consumer_name into reader
      from pgq_node.local_state l
     where l.queue_name = i_queue_name and l.provider_node = i_node_name
     order by l.consumer_name <> node.worker_name, l.consumer_name
     limit 1;
    if found then
        ret_code := 403;
        ret_note := format('Cannot drop location of node''s parent: consumer %s reads %s', reader, i_node_name);
        return;
    end if;

    perform pgq_node.unregister_subscriber(i_queue_name, i_node_name);
    delete from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name = i_node_name;
    if found then
        ret_code := 200;
        ret_note := 'Ok';
    else
        ret_code := 301;
        ret_note := format('Location not found: %s/%s', i_queue_name, i_node_name);
    end if;
    -- Without a change too: a node that has missed the last event learns it now.
    if node.node_type = 'root' then
        perform pgq.insert_event(i_queue_name, 'pgq.unregister-location', i_node_name, i_queue_name,
                                 null, null, null);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
