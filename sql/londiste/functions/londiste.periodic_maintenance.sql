-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.periodic_maintenance(0)
--
--      Forget executed files after 3 months. Listed by pgq.maint_operations.
--
-- Parameters:
--      none
-- Returns:
--      0: nothing is left to do
-- Tables:
--      delete: londiste.applied_execute
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.periodic_maintenance()
returns integer as $$
begin
    delete from londiste.applied_execute where execute_time < now() - interval '3 months';
    return 0;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
