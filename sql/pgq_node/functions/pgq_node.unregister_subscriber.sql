-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.unregister_subscriber(2)
--
--      End the subscription of a node: its worker and its watermark give up their positions.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_remote_node_name  - name of the node
-- Returns:
--      200 - done
--      304 - it was not subscribed
-- Tables:
--      delete: pgq_node.subscriber_info; by pgq.unregister_consumer
-- Locks:
--      subscriber_info row
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node.unregister_subscriber(
    i_queue_name text, i_remote_node_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    gone record;
begin
    delete from pgq_node.subscriber_info s
     where s.queue_name = i_queue_name and s.subscriber_node = i_remote_node_name
    returning s.worker_name, s.watermark_name into gone;
    if not found then
        ret_code := 304;
        ret_note := 'Subscriber not found';
        return;
    end if;
    perform pgq.unregister_consumer(i_queue_name, gone.worker_name);
    perform pgq.unregister_consumer(i_queue_name, gone.watermark_name);
    ret_code := 200;
    ret_note := format('Subscriber unregistered: %s', i_remote_node_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
