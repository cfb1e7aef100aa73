-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.drop_table_fkey(2)
--
--      Drop a foreign key, and note it as one that shall come back.
--
-- Parameters:
--      i_from_table    - table that has it
--      i_fkey_name     - its name
-- Returns:
--      1 - done
--      0 - there is no such foreign key
-- Tables:
--      insert: londiste.pending_fkeys
-- Locks:
--      both tables: ACCESS EXCLUSIVE
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.drop_table_fkey(i_from_table text, i_fkey_name text)
returns integer as $$
declare
    fkey londiste.pending_fkeys;
begin
    select f.* into fkey
      from londiste.find_table_fkeys(londiste.make_fqname(i_from_table)) f
     where f.from_table = londiste.make_fqname(i_from_table) and f.fkey_name = i_fkey_name;
    if not found then
        return 0;
    end if;
    -- What was noted before is of a foreign key that somebody has made again by hand.
    insert into londiste.pending_fkeys (from_table, to_table, fkey_name, fkey_def)
    values (fkey.from_table, fkey.to_table, fkey.fkey_name, fkey.fkey_def)
    on conflict (from_table, fkey_name) do update set to_table = excluded.to_table, fkey_def = excluded.fkey_def;
    execute format('alter table only %s drop constraint %I', londiste.quote_fqname(fkey.from_table), fkey.fkey_name);
    return 1;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
