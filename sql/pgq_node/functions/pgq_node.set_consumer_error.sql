-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_consumer_error(3)
--
--      Note why a cascaded consumer cannot go on.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
--      i_error_msg         - the error, NULL: none any more
-- Returns:
--      100 - done
--      101 - there is no such consumer: ignored
-- Tables:
--      update: pgq_node.local_state
-- Locks:
--      the row updated
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_consumer_error(
    i_queue_name text, i_consumer_name text, i_error_msg text, out ret_code integer, out ret_note text)
returns record as $$
declare
    place tid := pgq_node._lock_state(i_queue_name, i_consumer_name);
begin
    update pgq_node.local_state l set cur_error = i_error_msg, row_version = l.row_version + 1
     where l.ctid = place;
    if found then
        ret_code := 100;
        ret_note := format('Consumer %s error = %s', i_consumer_name, i_error_msg);
    else
        ret_code := 101;
        ret_note := format('Consumer not known, ignoring: %s/%s', i_queue_name, i_consumer_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
