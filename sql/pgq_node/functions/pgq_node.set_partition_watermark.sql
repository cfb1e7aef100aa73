-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_partition_watermark(3)
--
--      On the branch of a combined queue: note how far the combined stream contains a partition's queue, so that the
--      leaf of the partition beside it, should it have to take over, goes on exactly there. This follows the stream,
--      also back when a combined root that has come back has lost a part of it.
--
-- Parameters:
--      i_combined_queue_name - name of the combined queue
--      i_part_queue_name   - name of the partition's queue
--      i_watermark         - tick of the partition's queue
-- Returns:
--      200 - done
--      201 - there is no such pair of branch and leaf here
--      401 - the leaf has no worker
-- Tables:
--      select: pgq_node.node_info
--      update: pgq_node.local_state
-- Locks:
--      the row updated
-- Raises:
--      not_null_violation - no tick given
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_partition_watermark(
    i_combined_queue_name text, i_part_queue_name text, i_watermark bigint, out ret_code integer, out ret_note text)
returns record as $$
declare
    worker text;
    place tid;
begin
    select p.worker_name into worker
      from pgq_node.node_info p
      join pgq_node.node_info c on c.queue_name = p.combined_queue
     where p.queue_name = i_part_queue_name and p.node_type = 'leaf'
       and c.queue_name = i_combined_queue_name and c.node_type = 'branch';
    if not found then
        ret_code := 201;
        ret_note := 'Part-queue does not exist';
        return;
    end if;
    place := pgq_node._lock_state(i_part_queue_name, worker);
    update pgq_node.local_state l set last_tick_id = i_watermark, row_version = l.row_version + 1
     where l.ctid = place;
    if found then
        ret_code := 200;
        ret_note := format('Watermark of %s set to %s', i_part_queue_name, i_watermark);
    else
        ret_code := 401;
        ret_note := format('Worker not known: %s/%s', i_part_queue_name, worker);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
