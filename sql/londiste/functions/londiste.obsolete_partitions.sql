-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.is_obsolete_partition(3)
--
--      Is a part of a table older than it has to be kept? That is told by its name, which ends on _YYYY, _MM, _DD,
--      _HH24, as far as the period has it.
--
-- Parameters:
--      i_partition_table   - name of the part
--      i_retention_period  - how long they are kept
--      i_partition_period  - year, month, day, hour, or yearly, monthly, daily, hourly
-- Returns:
--      true: it is; NULL: the name has no such ending
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      invalid_parameter_value - no such period
-- ----------------------------------------------------------------------
create or replace function londiste.is_obsolete_partition(
    i_partition_table text, i_retention_period interval, i_partition_period text)
returns boolean as $$
declare
    digits constant integer := case when i_partition_period in ('year', 'yearly') then 0
        when i_partition_period in ('month', 'monthly') then 1 when i_partition_period in ('day', 'daily') then 2
        when i_partition_period in ('hour', 'hourly') then 3 end;
    stamp text;
begin
    if digits is null then
        raise exception 'not supported i_partition_period: %', coalesce(i_partition_period, '<NULL>')
            using errcode = 'invalid_parameter_value', hint = 'Periods are year, month, day, hour.';
    end if;
    stamp := substring(i_partition_table from format('_([0-9]{4}(_[0-9]{2}){%s})$', digits));
    if stamp is null then
        return null;
    end if;
    return coalesce(stamp collate "C" < to_char(now() - i_retention_period,
                                                substr('YYYY_MM_DD_HH24', 1, (array[4, 7, 10, 15])[digits + 1])), false);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.list_obsolete_partitions(3)
--
--      List the parts of a table that are older than they have to be kept.
--
-- Parameters:
--      i_parent_table      - name of the table
--      i_retention_period  - how long they are kept
--      i_partition_period  - year, month, day, hour, or yearly, monthly, daily, hourly
-- Returns:
--      names of parts, quoted
-- Tables:
--      select: pg_inherits
-- Locks:
--      none
-- Raises:
--      invalid_parameter_value - no such period
-- ----------------------------------------------------------------------
create or replace function londiste.list_obsolete_partitions(
    i_parent_table text, i_retention_period interval, i_partition_period text)
returns setof text as $$
begin
    return query
    select londiste.quote_fqname(londiste._fqname(i.inhrelid))
      from pg_inherits i
     where i.inhparent = londiste.find_table_oid(i_parent_table)
       and londiste.is_obsolete_partition(londiste._fqname(i.inhrelid), i_retention_period, i_partition_period)
     order by 1;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.drop_obsolete_partitions(3)
--
--      Drop the parts of a table that are older than they have to be kept.
--
-- Parameters:
--      i_parent_table      - name of the table
--      i_retention_period  - how long they are kept
--      i_partition_period  - year, month, day, hour, or yearly, monthly, daily, hourly
-- Returns:
--      names of parts that were dropped, quoted
-- Tables:
--      drop: the parts
-- Locks:
--      the table: SHARE UPDATE EXCLUSIVE or ACCESS EXCLUSIVE, as DROP TABLE of a part
-- Raises:
--      invalid_parameter_value - no such period
-- ----------------------------------------------------------------------
create or replace function londiste.drop_obsolete_partitions(
    i_parent_table text, i_retention_period interval, i_partition_period text)
returns setof text as $$
declare
    part text;
begin
    for part in
        select * from londiste.list_obsolete_partitions(i_parent_table, i_retention_period, i_partition_period)
    loop
        execute format('drop table %s', part);
        return next part;
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
