-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._key_arg(1)
--
--      Choose the key of a table that has no primary key: the replica identity, else the unique index with the fewest
--      columns that are all NOT NULL. The trigger takes no column with a blank or comma in its name.
--
-- Parameters:
--      i_table - the table
-- Returns:
--      pkey=a,b for the trigger; empty: there is no such index; NULL: the table has a primary key
-- Tables:
--      select: pg_index, pg_attribute
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._key_arg(i_table oid)
returns text as $$
    select case when not exists (select 1 from pg_index where indrelid = i_table and indisprimary) then coalesce((
        select 'pkey=' || string_agg(a.attname, ',' order by k.nr)
          from pg_index i
          join pg_class c on c.oid = i.indexrelid
         cross join unnest(i.indkey) with ordinality as k (attnum, nr)
          left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum and a.attnum > 0
         where i.indrelid = i_table and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
           and k.nr <= i.indnkeyatts
         group by i.indexrelid, i.indisreplident, i.indnkeyatts, c.relname
        having bool_and(coalesce(a.attnotnull and a.attname !~ '[[:space:],]', false))
         order by i.indisreplident desc, i.indnkeyatts, c.relname
         limit 1), '') end
$$ language sql stable set search_path = pg_catalog, pg_temp;
