-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.restore_table_fkey(3)
--
--      Bring a dropped foreign key back. Lazily: give the next statement for that, and when there is none any more,
--      forget the foreign key. So no long lock is taken: it is made without looking at the rows, then validated. Where
--      that cannot be (a partitioned table before PostgreSQL 18) it is one statement.
--      When one of its tables is in no queue here, its rows may have gone other ways: then validation is tried here,
--      and if it fails there is a warning, and the foreign key stays, for new rows.
--      Not with a search_path of its own: statements are run as they were written.
--
-- Parameters:
--      i_from_table    - table that has it
--      i_fkey_name     - its name
--      i_lazy          - give statements, do not run them
-- Returns:
--      empty: done, or there is no such one; else, if lazily, a statement to run before calling again
-- Tables:
--      delete: londiste.pending_fkeys
-- Locks:
--      row of londiste.pending_fkeys; both tables as ADD FOREIGN KEY, VALIDATE CONSTRAINT
-- Raises:
--      foreign_key_violation - rows do not fit
-- ----------------------------------------------------------------------
create or replace function londiste.restore_table_fkey(
    i_from_table text, i_fkey_name text, i_lazy boolean default false)
returns text as $$
declare
    fkey londiste.pending_fkeys;
    rel oid;
    validated boolean;
begin
    select f.* into fkey
      from londiste.pending_fkeys f
     where f.from_table = londiste.make_fqname(i_from_table) and f.fkey_name = i_fkey_name
       for update;
    if not found then
        return '';
    end if;
    rel := londiste.find_table_oid(fkey.from_table);
    select c.convalidated or fkey.fkey_def ~* ' not (valid|enforced)$' into validated
      from pg_catalog.pg_constraint c
     where c.conrelid = rel and c.conname = i_fkey_name and c.contype = 'f';
    if not found and rel is not null and londiste.find_table_oid(fkey.to_table) is not null then
        if i_lazy then
            return londiste._lazy_fkey_def(rel, fkey.fkey_def);
        end if;
        execute fkey.fkey_def;
    elsif not validated and not (londiste._is_added(fkey.from_table) and londiste._is_added(fkey.to_table)) then
        perform londiste._try_validate(fkey.from_table, i_fkey_name);
    elsif not validated and i_lazy then
        return pg_catalog.format('alter table only %s validate constraint %I', londiste.quote_fqname(fkey.from_table),
                                 i_fkey_name);
    elsif not validated then
        execute pg_catalog.format('alter table only %s validate constraint %I', londiste.quote_fqname(fkey.from_table),
                                  i_fkey_name);
    end if;
    delete from londiste.pending_fkeys f where f.from_table = fkey.from_table and f.fkey_name = i_fkey_name;
    return '';
end;
$$ language plpgsql strict;

-- ----------------------------------------------------------------------
-- Function: londiste._lazy_fkey_def(2)
--
--      Have a foreign key made without looking at the rows, where the server can do that.
--
-- Parameters:
--      i_table     - table that has it
--      i_fkey_def  - statement that makes it
-- Returns:
--      statement
-- Tables:
--      select: pg_class
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._lazy_fkey_def(i_table oid, i_fkey_def text)
returns text as $$
    select i_fkey_def || case when i_fkey_def ~* ' not (valid|enforced)$' then ''
        when c.relkind = 'p' and current_setting('server_version_num')::integer < 180000 then '' else ' not valid' end
      from pg_class c where c.oid = i_table
$$ language sql stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._is_added(1)
--
--      Does any queue bring this table here?
--
-- Parameters:
--      i_dest_table    - name of the table here
-- Returns:
--      true: one does
-- Tables:
--      select: londiste.table_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._is_added(i_dest_table text)
returns boolean as $$
    select exists (select 1 from londiste.table_info t
                    where t.local and coalesce(t.dest_table, t.table_name) = i_dest_table)
$$ language sql stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._try_validate(2)
--
--      Validate a foreign key, if the rows fit.
--
-- Parameters:
--      i_from_table    - table that has it
--      i_fkey_name     - its name
-- Returns:
--      nothing
-- Tables:
--      none
-- Locks:
--      the tables as VALIDATE CONSTRAINT
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._try_validate(i_from_table text, i_fkey_name text)
returns void as $$
begin
    execute format('alter table only %s validate constraint %I', londiste.quote_fqname(i_from_table), i_fkey_name);
exception
    when foreign_key_violation then
        raise warning 'foreign key % of % is back, but not valid: %', i_fkey_name, i_from_table, sqlerrm;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
