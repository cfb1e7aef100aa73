-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._replica_triggers(1)
--
--      List the triggers of a table that write to a queue. Those that a partition has from its parent are the parent's.
--
-- Parameters:
--      i_table - the table
-- Returns:
--      name; whether it is for rows; name of the queue, as bytes; whether it has argument SKIP
-- Tables:
--      select: pg_trigger
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._replica_triggers(
    i_table oid, out trigger_name name, out for_row boolean, out queue bytea, out skip_rows boolean)
returns setof record as $$
    -- Arguments are kept one after the other, with a zero byte behind each.
    select t.tgname, t.tgtype & 1 = 1, substring(t.tgargs for position('\x00'::bytea in t.tgargs) - 1),
           position('\x00534b495000'::bytea in t.tgargs) > 0
      from pg_trigger t
     where t.tgrelid = i_table and not t.tgisinternal and t.tgparentid = 0 and t.tgnargs > 0
       and londiste.is_replica_func(t.tgfoid)
     order by t.tgname
$$ language sql stable set search_path = pg_catalog, pg_temp;
