-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.split_fqname(1)
--
--      Part a name into schema and name, at the first dot. Without a dot the schema is public; search_path is never
--      asked.
--
-- Parameters:
--      i_fqname    - name, unquoted
-- Returns:
--      schema_part, name_part
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.split_fqname(i_fqname text, out schema_part text, out name_part text)
returns record as $$
declare
    dot constant integer := strpos(i_fqname, '.');
begin
    schema_part := case when dot > 0 then substr(i_fqname, 1, dot - 1) else 'public' end;
    name_part := substr(i_fqname, dot + 1);
end;
$$ language plpgsql strict immutable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.make_fqname(1)
--
--      Give a name its schema, if it has none.
--
-- Parameters:
--      i_name  - name, unquoted: schema.name, parted at the first dot
-- Returns:
--      the name with a schema, unquoted
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.make_fqname(i_name text)
returns text as $$
begin
    return case when strpos(i_name, '.') > 0 then i_name else 'public.' || i_name end;
end;
$$ language plpgsql strict immutable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.quote_fqname(1)
--
--      Quote a name for SQL.
--
-- Parameters:
--      i_name  - name, unquoted: schema.name, parted at the first dot
-- Returns:
--      the name with a schema, quoted where needed
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.quote_fqname(i_name text)
returns text as $$
declare
    part record;
begin
    part := londiste.split_fqname(i_name);
    return format('%I.%I', part.schema_part, part.name_part);
end;
$$ language plpgsql strict immutable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._fqname(1)
--
--      Give the name of a relation as Londiste writes it.
--
-- Parameters:
--      i_rel   - the relation
-- Returns:
--      schema.name, unquoted; NULL: no such relation
-- Tables:
--      select: pg_class, pg_namespace
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._fqname(i_rel oid)
returns text as $$
    select n.nspname || '.' || c.relname
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.oid = i_rel
$$ language sql strict stable;
