-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.find_column_types(1)
--
--      Tell which columns of a table are in its primary key, in the form that pgq.logtriga takes.
--
-- Parameters:
--      tbl     - name of the table, unquoted
-- Returns:
--      a letter for each column: k key, v value; NULL: no such table
-- Tables:
--      select: pg_attribute, pg_index
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.find_column_types(tbl text)
returns text as $$
declare
    rel constant oid := londiste.find_table_oid(tbl);
begin
    return (select string_agg(case when a.attnum = any (i.indkey) then 'k' else 'v' end, '' order by a.attnum)
              from pg_attribute a
              left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
             where a.attrelid = rel and a.attnum > 0 and not a.attisdropped);
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
