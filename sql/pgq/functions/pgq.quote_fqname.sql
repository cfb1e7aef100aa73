-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.quote_fqname(1)
--
--      Quote a schema-qualified name. The first dot parts schema and name; without a dot the schema is public.
--
-- Parameters:
--      i_name  - unquoted name
-- Returns:
--      the name, fit for SQL
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.quote_fqname(i_name text)
returns text as $$
    select case when pg_catalog.strpos(i_name, '.') > 0
        then pg_catalog.quote_ident(pg_catalog.split_part(i_name, '.', 1)) || '.'
             || pg_catalog.quote_ident(pg_catalog.substr(i_name, pg_catalog.strpos(i_name, '.') + 1))
        else 'public.' || pg_catalog.quote_ident(i_name)
    end
$$ language sql strict immutable;
