-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_event(7)
--
--      Engine without C: see functions/. Here it is SECURITY DEFINER.
--
-- Parameters:
--      see functions/
-- Returns:
--      the event's id
-- Tables:
--      insert: the current event table of the queue
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      as pgq.insert_event_raw
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event(
    queue_name text, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns bigint as $$
begin
    return pgq.insert_event_raw($1, null, null, null, null, $2, $3, $4, $5, $6, $7);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.insert_event(3)
--
--      The same with extra fields NULL. Calls the form above, or what has replaced it.
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event(queue_name text, ev_type text, ev_data text)
returns bigint as $$
begin
    return pgq.insert_event($1, $2, $3, null, null, null, null);
end;
$$ language plpgsql;
