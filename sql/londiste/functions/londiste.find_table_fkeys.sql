-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.find_table_fkeys(1)
--
--      List the foreign keys of a table, and those of others that point to it. Those that a partition has from its
--      parent are the parent's.
--
-- Parameters:
--      i_table_name    - name of the table here
-- Returns:
--      rows as of londiste.pending_fkeys
-- Tables:
--      select: pg_constraint
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.find_table_fkeys(i_table_name text)
returns setof londiste.pending_fkeys as $$
declare
    rel constant oid := londiste.find_table_oid(i_table_name);
begin
    return query
    select londiste._fqname(c.conrelid), londiste._fqname(c.confrelid), c.conname::text,
           format('alter table %s%s add constraint %I %s', case when t.relkind = 'p' then '' else 'only ' end,
                  londiste.quote_fqname(londiste._fqname(c.conrelid)), c.conname, pg_get_constraintdef(c.oid))
      from pg_constraint c
      join pg_class t on t.oid = c.conrelid
     where c.contype = 'f' and c.conparentid = 0 and rel in (c.conrelid, c.confrelid)
     order by 1, 2, 3;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
