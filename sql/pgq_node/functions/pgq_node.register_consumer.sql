-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.register_consumer(4)
--
--      Note a cascaded consumer that writes here, and the tick that it has done. What it reads is registered at the
--      provider, by other means.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
--      i_provider_node     - node that it reads
--      i_custom_tick_id    - tick that it has done
-- Returns:
--      200 - registered
--      201 - it was registered already: provider and tick are now as given
--      404 - this database is no node of such a queue, or the provider's location is not registered
-- Tables:
--      select: pgq_node.node_info, pgq_node.node_location
--      insert, update: pgq_node.local_state
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for; the row written
-- Raises:
--      not_null_violation - a name or the tick is not given
-- ----------------------------------------------------------------------
create or replace function pgq_node.register_consumer(
    i_queue_name text, i_consumer_name text, i_provider_node text, i_custom_tick_id bigint,
    out ret_code integer, out ret_note text)
returns record as $$
begin
    ret_code := 404;
    -- Of two callers the second waits, and finds what the first has done.
    perform 1 from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    if not found then
        ret_note := format('Unknown queue: %s', i_queue_name);
        return;
    end if;
    perform 1 from pgq_node.node_location l
      where l.queue_name = i_queue_name and l.node_name = i_provider_node;
    if not found and i_provider_node is not null then
        ret_note := format('Unknown location: %s/%s, register it first', i_queue_name, i_provider_node);
        return;
    end if;

    update pgq_node.local_state l set provider_node = i_provider_node, last_tick_id = i_custom_tick_id
     where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name;
    if found then
        ret_code := 201;
        ret_note := format('Consumer already registered: %s/%s', i_queue_name, i_consumer_name);
    else
        insert into pgq_node.local_state (queue_name, consumer_name, provider_node, last_tick_id)
        values (i_queue_name, i_consumer_name, i_provider_node, i_custom_tick_id);
        ret_code := 200;
        ret_note := format('Consumer %s registered on queue %s', i_consumer_name, i_queue_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
