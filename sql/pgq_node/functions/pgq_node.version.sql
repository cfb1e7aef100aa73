-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.version(0)
--
--      Give the version of the schema, also where it was loaded by a script and there is no extension.
--
-- Returns:
--      version of the extension, or of the script
-- Parameters:
--      none
-- Tables:
--      select: pg_extension
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.version()
returns text as $$
begin
    return coalesce((select extversion from pg_extension where extname = 'pgq_node'), '4.0');
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
