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
--      the row written
-- Raises:
--      not_null_violation - a name or the tick is not given
-- ----------------------------------------------------------------------
create or replace function pgq_node.register_consumer(
    i_queue_name text, i_consumer_name text, i_provider_node text, i_custom_tick_id bigint,
    out ret_code integer, out ret_note text)
returns record as $$
declare
    is_new boolean;
begin
    ret_code := 404;
    perform 1 from pgq_node.node_info n where n.queue_name = i_queue_name;
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

    -- xmax is the transaction that has replaced the row: none if it is new.
    insert into pgq_node.local_state as l (queue_name, consumer_name, provider_node, last_tick_id)
    values (i_queue_name, i_consumer_name, i_provider_node, i_custom_tick_id)
    on conflict (queue_name, consumer_name) do update
       set provider_node = excluded.provider_node, last_tick_id = excluded.last_tick_id
    returning l.xmax = '0' into is_new;
    if is_new then
        ret_code := 200;
        ret_note := format('Consumer %s registered on queue %s', i_consumer_name, i_queue_name);
    else
        ret_code := 201;
        ret_note := format('Consumer already registered: %s/%s', i_queue_name, i_consumer_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
