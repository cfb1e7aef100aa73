-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_consumer_completed(3)
--
--      Note the tick that a cascaded consumer has done, in the transaction in which it has done it. Clears its error.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
--      i_tick_id           - the tick
-- Returns:
--      100 - done
--      404 - there is no such consumer
-- Tables:
--      update: pgq_node.local_state
-- Locks:
--      the row updated
-- Raises:
--      not_null_violation - no tick given
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_consumer_completed(
    i_queue_name text, i_consumer_name text, i_tick_id bigint, out ret_code integer, out ret_note text)
returns record as $$
declare
    place tid := pgq_node._lock_state(i_queue_name, i_consumer_name);
begin
    update pgq_node.local_state l set last_tick_id = i_tick_id, cur_error = null, row_version = l.row_version + 1
     where l.ctid = place;
    if found then
        ret_code := 100;
        ret_note := format('Consumer %s completed tick = %s', i_consumer_name, i_tick_id);
    else
        ret_code := 404;
        ret_note := format('Consumer not known: %s/%s', i_queue_name, i_consumer_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
