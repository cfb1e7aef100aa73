-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._ticker_present(0)
--
--      Is somebody the ticker of this database (pgq.ticker_lock)? Whoever calls pgq.ticker() beside it must not
--      set its flags awake: it would sleep on, and nobody would wake it.
--
-- Parameters:
--      none
-- Returns:
--      true or false
-- Tables:
--      select: pg_locks
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._ticker_present()
returns boolean as $$
    select exists (
        select 1 from pg_catalog.pg_locks
         where locktype = 'advisory' and objsubid = 2 and granted
           and classid = 'pgq.queue'::pg_catalog.regclass and objid = 0
           and database = (select d.oid from pg_catalog.pg_database d
                            where d.datname = pg_catalog.current_database()))
$$ language sql volatile;
