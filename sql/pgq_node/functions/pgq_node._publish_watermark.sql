-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._publish_watermark(3)
--
--      Tell the cascade where the global watermark of the root is. A root that is being demoted says nothing: its
--      queue is closed, and its successor will.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_worker_name       - worker of the root, whose position follows
--      i_watermark         - the watermark
-- Returns:
--      nothing
-- Tables:
--      select: pgq.queue
--      update: pgq_node.local_state
--      insert: by pgq.insert_event, event pgq.global-watermark
-- Locks:
--      none but those rows; the caller has locked the node_info row
-- Raises:
--      as pgq.insert_event
-- ----------------------------------------------------------------------
create or replace function pgq_node._publish_watermark(
    i_queue_name text, i_worker_name text, i_watermark bigint)
returns void as $$
declare
    place tid := pgq_node._lock_state(i_queue_name, i_worker_name);
begin
    update pgq_node.local_state l set last_tick_id = i_watermark, row_version = l.row_version + 1
     where l.ctid = place and l.last_tick_id <> i_watermark;
    if exists (select 1 from pgq.queue q where q.queue_name = i_queue_name and not q.queue_disable_insert) then
        perform pgq.insert_event(i_queue_name, 'pgq.global-watermark', i_watermark::text, i_queue_name,
                                 null, null, null);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
