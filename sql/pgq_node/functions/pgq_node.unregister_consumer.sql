-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.unregister_consumer(2)
--
--      Forget a cascaded consumer that writes here.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
-- Returns:
--      200 - done, also if there was none
--      404 - this database is no node of such a queue
-- Tables:
--      select: pgq_node.node_info
--      delete: pgq_node.local_state
-- Locks:
--      the row deleted
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.unregister_consumer(
    i_queue_name text, i_consumer_name text, out ret_code integer, out ret_note text)
returns record as $$
begin
    perform 1 from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown queue: %s', i_queue_name);
        return;
    end if;
    delete from pgq_node.local_state l where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name;
    ret_code := 200;
    ret_note := format('Consumer %s unregistered from %s', i_consumer_name, i_queue_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
