-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.is_replica_func(1)
--
--      Is this a function for triggers that write to a queue?
--
-- Parameters:
--      func_oid    - the function
-- Returns:
--      true: it is
-- Tables:
--      select: pg_proc, pg_namespace
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.is_replica_func(func_oid oid)
returns boolean as $$
    select exists (
        select 1
          from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
         where p.oid = func_oid
           and (n.nspname = 'pgq' and p.proname in ('sqltriga', 'logutriga', 'jsontriga')
                or n.nspname = 'londiste' and p.proname = 'truncate_trigger'))
$$ language sql strict stable;
