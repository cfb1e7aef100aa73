-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._grant_perms_from(4)
--
--      Copy the grants of one table to another, with their grant options. Grants that the other has stay.
--
-- Parameters:
--      src_schema, src_table   - table to copy from
--      dst_schema, dst_table   - table to copy to
-- Returns:
--      1
-- Tables:
--      grants on the second table
-- Locks:
--      none
-- Raises:
--      undefined_table - no such table to copy to
-- ----------------------------------------------------------------------
create or replace function pgq._grant_perms_from(src_schema text, src_table text, dst_schema text, dst_table text)
returns integer as $$
declare
    acl record;
begin
    for acl in
        select a.privilege_type, a.is_grantable,
               case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         cross join aclexplode(c.relacl) a
         where n.nspname = src_schema and c.relname = src_table and a.grantee <> c.relowner
         order by a.grantee, a.privilege_type
    loop
        execute format('grant %s on %I.%I to %s%s', acl.privilege_type, dst_schema, dst_table, acl.grantee,
                       case when acl.is_grantable then ' with grant option' else '' end);
    end loop;
    return 1;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
