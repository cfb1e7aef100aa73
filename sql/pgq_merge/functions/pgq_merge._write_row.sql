-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_merge._write_row(3)
--
--      Write a whole row: over the one that matches, or as a new one.
--
-- Parameters:
--      i_table - the table, quoted
--      i_row   - the row
--      i_match - condition for the row that it replaces, NULL: there is none
-- Returns:
--      nothing
-- Tables:
--      insert, update: the table
-- Locks:
--      the row
-- Raises:
--      what the table does not accept
-- ----------------------------------------------------------------------
create or replace function pgq_merge._write_row(i_table text, i_row jsonb, i_match text)
returns void as $$
declare
    cols text;
    vals text;
begin
    select string_agg(quote_ident(key), ', '), string_agg(quote_nullable(value), ', ') into cols, vals
      from jsonb_each_text(i_row);
    if i_match is null then
        execute format('insert into %s (%s) values (%s)', i_table, cols, vals);
    else
        execute format('update %s set (%s) = row(%s) where %s', i_table, cols, vals, i_match);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
