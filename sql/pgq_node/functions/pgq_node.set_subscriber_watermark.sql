-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_subscriber_watermark(3)
--
--      Note how far a node and those behind it have come. Called by the worker of that node, now and then.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_node_name         - name of the node
--      i_watermark         - tick that they have passed
-- Returns:
--      200 - moved
--      100 - it was there already, or no tick is given
--      404 - the node is not subscribed here
--      405 - it was further already: it is never moved back
-- Tables:
--      select: pgq_node.subscriber_info
--      update: by pgq.register_consumer_at
-- Locks:
--      subscription row of the watermark: FOR UPDATE
-- Raises:
--      undefined_object - the tick is not here
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_subscriber_watermark(
    i_queue_name text, i_node_name text, i_watermark bigint, out ret_code integer, out ret_note text)
returns record as $$
declare
    mark record;
begin
    select i.watermark_name, s.sub_last_tick into mark
      from pgq_node.subscriber_info i
      join pgq.queue q on q.queue_name = i.queue_name
      join pgq.consumer c on c.co_name = i.watermark_name
      join pgq.subscription s on s.sub_queue = q.queue_id and s.sub_consumer = c.co_id
     where i.queue_name = i_queue_name and i.subscriber_node = i_node_name
       for update of s;
    if not found then
        ret_code := 404;
        ret_note := format('node %s not subscribed to queue %s', i_node_name, i_queue_name);
    elsif i_watermark is null or i_watermark = mark.sub_last_tick then
        ret_code := 100;
        ret_note := 'watermark already set';
    elsif i_watermark < mark.sub_last_tick then
        ret_code := 405;
        ret_note := 'watermark must not be moved backwards';
    else
        perform pgq.register_consumer_at(i_queue_name, mark.watermark_name, i_watermark);
        ret_code := 200;
        ret_note := format('%s set to %s', mark.watermark_name, i_watermark);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
