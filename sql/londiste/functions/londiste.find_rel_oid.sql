-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.find_rel_oid(2)
--
--      Find a relation by its name.
--
-- Parameters:
--      i_fqname    - name, unquoted
--      i_kind      - kind as in pg_class: r, S, v ...
-- Returns:
--      oid; NULL: there is none of this kind
-- Tables:
--      select: pg_class, pg_namespace
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.find_rel_oid(i_fqname text, i_kind text)
returns oid as $$
declare
    part record;
begin
    part := londiste.split_fqname(i_fqname);
    return (select c.oid
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = part.schema_part and c.relname = part.name_part and c.relkind = i_kind::"char");
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.find_table_oid(1)
--
--      Find a table: an ordinary or a partitioned one.
--
-- Parameters:
--      tbl     - name, unquoted
-- Returns:
--      oid; NULL: there is none
-- Tables:
--      as find_rel_oid
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.find_table_oid(tbl text)
returns oid as $$
begin
    return coalesce(londiste.find_rel_oid(tbl, 'r'), londiste.find_rel_oid(tbl, 'p'));
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.find_seq_oid(1)
--
--      Find a sequence.
--
-- Parameters:
--      seq     - name, unquoted
-- Returns:
--      oid; NULL: there is none
-- Tables:
--      as find_rel_oid
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.find_seq_oid(seq text)
returns oid as $$
begin
    return londiste.find_rel_oid(seq, 'S');
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
