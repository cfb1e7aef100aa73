-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_consumer_uptodate(3)
--
--      Say that a cascaded consumer has seen the latest change of its settings, or has to look at them again.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
--      i_uptodate          - true: it has seen them
-- Returns:
--      200 - done
--      404 - there is no such consumer
-- Tables:
--      update: pgq_node.local_state
-- Locks:
--      the row updated
-- Raises:
--      not_null_violation - no value given
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_consumer_uptodate(
    i_queue_name text, i_consumer_name text, i_uptodate boolean, out ret_code integer, out ret_note text)
returns record as $$
declare
    place tid := pgq_node._lock_state(i_queue_name, i_consumer_name);
begin
    update pgq_node.local_state l set uptodate = i_uptodate, row_version = l.row_version + 1
     where l.ctid = place;
    if found then
        -- Somebody asks whether the consumer is there: it answers by setting the flag again.
        if not i_uptodate then
            perform pg_notify('pgq_node', i_queue_name);
        end if;
        ret_code := 200;
        ret_note := format('Consumer uptodate = %s', i_uptodate::integer);
    else
        ret_code := 404;
        ret_note := format('Consumer not known: %s/%s', i_queue_name, i_consumer_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
