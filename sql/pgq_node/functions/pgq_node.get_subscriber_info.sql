-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.get_subscriber_info(1)
--
--      List the nodes that read this one. While a node changes its provider, both may list it: what counts is the
--      provider_node that it has itself.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      a row per subscriber, by name. node_watermark: tick that it and the nodes behind it have passed
-- Tables:
--      select: pgq_node.subscriber_info, pgq.queue, pgq.consumer, pgq.subscription
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.get_subscriber_info(
    i_queue_name text, out node_name text, out worker_name text, out node_watermark bigint)
returns setof record as $$
begin
    return query
    select i.subscriber_node, i.worker_name, s.sub_last_tick
      from pgq_node.subscriber_info i
      left join pgq.queue q on q.queue_name = i.queue_name
      left join pgq.consumer c on c.co_name = i.watermark_name
      left join pgq.subscription s on s.sub_queue = q.queue_id and s.sub_consumer = c.co_id
     where i.queue_name = i_queue_name
     order by i.subscriber_node;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
