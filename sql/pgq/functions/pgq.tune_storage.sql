-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.tune_storage(1)
--
--      Set the storage options of the event tables: rows are never updated, and space is freed by TRUNCATE, so
--      they are packed full and autovacuum stays away.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      1 - done
--      0 - no such queue
-- Tables:
--      alter: the event tables of the queue
-- Locks:
--      event tables: SHARE UPDATE EXCLUSIVE
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.tune_storage(i_queue_name text)
returns integer as $$
declare
    q record;
begin
    select queue_data_pfx, queue_ntables into q from pgq.queue where queue_name = i_queue_name;
    if not found then
        return 0;
    end if;
    for i in 0 .. q.queue_ntables - 1 loop
        execute format('alter table %s set (fillfactor = 100, autovacuum_enabled = off, '
                       'toast.autovacuum_enabled = off)', pgq.quote_fqname(q.queue_data_pfx || '_' || i));
    end loop;
    return 1;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
