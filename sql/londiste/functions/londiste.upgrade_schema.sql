-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.upgrade_schema(0)
--
--      Bring tables of older versions up to date, as often as it is called: columns table_attrs, dest_table,
--      execute_attrs.
--
-- Parameters:
--      none
-- Returns:
--      number of changes made
-- Tables:
--      alter: londiste.table_info, londiste.applied_execute
-- Locks:
--      ACCESS EXCLUSIVE on the table that it changes
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.upgrade_schema()
returns integer as $$
declare
    col record;
    changes integer := 0;
begin
    for col in
        select c.tbl, c.name
          from (values (1, 'londiste.table_info', 'table_attrs'), (2, 'londiste.table_info', 'dest_table'),
                       (3, 'londiste.applied_execute', 'execute_attrs')) as c (nr, tbl, name)
         where not exists (select 1 from pg_attribute where attrelid = c.tbl::regclass and attname = c.name)
         order by c.nr
    loop
        execute format('alter table %s add column %I text', col.tbl, col.name);
        changes := changes + 1;
    end loop;
    return changes;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
