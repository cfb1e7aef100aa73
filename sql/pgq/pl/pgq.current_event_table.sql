-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.current_event_table(1)
--
--      Engine without C: see functions/.
--
-- Parameters:
--      x_queue_name    - name of the queue
-- Returns:
--      schema and name of the table
-- Tables:
--      select: pgq.queue
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      as pgq._pl_open_queue and pgq._pl_check_enabled
-- ----------------------------------------------------------------------
create or replace function pgq.current_event_table(x_queue_name text)
returns text as $$
declare
    q record;
begin
    if current_setting('transaction_read_only') = 'on' then
        select queue_id, queue_data_pfx || '_' || queue_cur_table as event_table,
               queue_disable_insert and current_setting('session_replication_role') <> 'replica' as disabled
          into q
          from pgq.queue where queue_name = x_queue_name;
        if not found then
            perform pgq._pl_no_queue(x_queue_name);
        end if;
    else
        q := pgq._pl_open_queue(x_queue_name);
    end if;
    perform pgq._pl_check_enabled(q.queue_id, x_queue_name, q.disabled, null, 0);
    return q.event_table;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
