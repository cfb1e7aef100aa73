-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.version(0)
--
--      Give the version of the schema, also where it was loaded by a script and there is no extension.
--
-- Parameters:
--      none
-- Returns:
--      version of the extension, or of the script
-- Tables:
--      select: pg_extension
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.version()
returns text as $$
begin
    return coalesce((select extversion from pg_extension where extname = 'londiste'), '4.0');
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
