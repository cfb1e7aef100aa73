-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._rename_subscriber(3)
--
--      Rename a node that is subscribed here: its watermark has its name, and stays where it is.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_old_name          - name of the node
--      i_new_name          - its new name
-- Returns:
--      nothing
-- Tables:
--      update: pgq_node.subscriber_info
--      insert, delete: by pgq.register_consumer_at, pgq.unregister_consumer
-- Locks:
--      the rows written; the caller has locked the node_info row
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node._rename_subscriber(i_queue_name text, i_old_name text, i_new_name text)
returns void as $$
declare
    old_mark text;
    new_mark text := format('.%s.watermark', i_new_name);
    mark_tick bigint;
begin
    select i.watermark_name, f.node_watermark into old_mark, mark_tick
      from pgq_node.subscriber_info i
      join pgq_node.get_subscriber_info(i_queue_name) f on f.node_name = i.subscriber_node
     where i.queue_name = i_queue_name and i.subscriber_node = i_old_name;
    if not found then
        return;
    end if;
    perform pgq.register_consumer_at(i_queue_name, new_mark, mark_tick);
    update pgq_node.subscriber_info i set subscriber_node = i_new_name, watermark_name = new_mark
     where i.queue_name = i_queue_name and i.subscriber_node = i_old_name;
    perform pgq.unregister_consumer(i_queue_name, old_mark);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
