-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_merge._parent_exists(2)
--
--      Does the parent of a row exist, as a foreign key would want it?
--
-- Parameters:
--      i_conf  - fkey_ref_table: the parent's table; fkey_cols, fkey_ref_cols: the columns here and there
--      i_row   - the row
-- Returns:
--      true: it does, or a column is NULL, or no parent is asked for
-- Tables:
--      select: the parent's table
-- Locks:
--      none
-- Raises:
--      as pgq_merge._match
-- ----------------------------------------------------------------------
create or replace function pgq_merge._parent_exists(i_conf jsonb, i_row jsonb)
returns boolean as $$
declare
    parent_match text;
    res boolean;
begin
    if i_conf ->> 'fkey_ref_table' is null then
        return true;
    end if;
    parent_match := pgq_merge._match(pgq_merge._columns(i_conf ->> 'fkey_ref_cols'), i_row,
                                     pgq_merge._columns(i_conf ->> 'fkey_cols'));
    if parent_match = 'false' then
        return true;
    end if;
    execute format('select exists (select 1 from %s where %s)',
                   pgq_merge._table(i_conf ->> 'fkey_ref_table'), parent_match) into res;
    return res;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
