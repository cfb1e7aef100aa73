-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: public.create_partition(6)
--
--      Create the partition of a table for the period in which a time falls, with the grants of the table: a
--      partition where the table is partitioned, else a child that inherits, like the table in all.
--
-- Parameters:
--      i_table         - the table
--      i_part          - name of the partition
--      i_pkeys         - not used
--      i_part_field    - column with the time; empty: no check on the child
--      i_part_time     - a time in the period, in the time zone of the session
--      i_part_period   - hour, day, month, year
-- Returns:
--      1 - created
--      0 - it exists
-- Tables:
--      create: the partition
-- Locks:
--      the table: SHARE UPDATE EXCLUSIVE
-- Raises:
--      invalid_parameter_value - no such period
--      undefined_table - no such table
-- ----------------------------------------------------------------------
create or replace function public.create_partition(
    i_table text, i_part text, i_pkeys text, i_part_field text, i_part_time timestamptz, i_part_period text)
returns integer as $$
declare
    parent text := pgq_merge._table(i_table);
    part text := pgq_merge._table(i_part);
    starts timestamp;
    ends timestamp;
    partitioned boolean;
    acl record;
begin
    if i_part_period is null or i_part_period not in ('hour', 'day', 'month', 'year') then
        raise exception 'no such period: %', coalesce(i_part_period, 'NULL')
            using errcode = 'invalid_parameter_value', hint = 'Periods are hour, day, month, year.';
    end if;
    starts := date_trunc(i_part_period, i_part_time);
    ends := starts + ('1 ' || i_part_period)::interval;
    execute format('lock table %s in share update exclusive mode', parent);
    if to_regclass(part) is not null then
        return 0;
    end if;

    select relkind = 'p' into partitioned from pg_class where oid = parent::regclass;
    if partitioned then
        execute format('create table %s partition of %s for values from (%L) to (%L)', part, parent, starts, ends);
    else
        execute format('create table %s (like %s including all%s)', part, parent,
                       case when i_part_field <> '' then
                           format(', check (%1$I >= %2$L and %1$I < %3$L)', i_part_field, starts, ends) else '' end);
        execute format('alter table %s inherit %s', part, parent);
    end if;
    for acl in
        select a.privilege_type, case when a.is_grantable then ' with grant option' else '' end as option,
               case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee
          from pg_class c cross join aclexplode(c.relacl) a
         where c.oid = parent::regclass and a.grantee <> c.relowner
    loop
        execute format('grant %s on %s to %s%s', acl.privilege_type, part, acl.grantee, acl.option);
    end loop;
    return 1;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
