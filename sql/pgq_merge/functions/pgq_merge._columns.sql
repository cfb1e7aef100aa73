-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_merge._columns(1)
--
--      Split a list of column names at commas; blanks around names do not count.
--
-- Parameters:
--      i_list  - the list
-- Returns:
--      the names, empty if there are none
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_merge._columns(i_list text)
returns text[] as $$
    select array(select btrim(name) from regexp_split_to_table(coalesce(i_list, ''), ',') as name
                  where btrim(name) <> '')
$$ language sql immutable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq_merge._table(1)
--
--      Quote the name of a table; the first dot ends the schema, without one it is public.
-- ----------------------------------------------------------------------
create or replace function pgq_merge._table(i_name text)
returns text as $$
    select case when strpos(i_name, '.') > 0
                then format('%I.%I', split_part(i_name, '.', 1), substr(i_name, strpos(i_name, '.') + 1))
                else format('public.%I', i_name) end
$$ language sql immutable strict set search_path = pg_catalog, pg_temp;
