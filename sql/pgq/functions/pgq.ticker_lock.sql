-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.ticker_lock(0)
--
--      Become the ticker of this database, until the session ends.
--
-- Returns:
--      true - this session is the ticker now, or was it already
--      false - another session is
-- Parameters:
--      none
-- Tables:
--      none
-- Locks:
--      advisory lock of the session: class oid of pgq.queue, object 0 (no queue has this id)
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.ticker_lock()
returns boolean as $$
begin
    return pg_try_advisory_lock('pgq.queue'::regclass::integer, 0);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
