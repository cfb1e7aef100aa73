-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.drop_table_triggers(2)
--
--      Drop all triggers by which a table writes to a queue.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
-- Returns:
--      nothing
-- Tables:
--      select: londiste.table_info
-- Locks:
--      the table: ACCESS EXCLUSIVE, if it has such triggers
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.drop_table_triggers(i_queue_name text, i_table_name text)
returns void as $$
begin
    perform londiste._drop_replica_triggers(i_queue_name, coalesce(t.dest_table, t.table_name))
       from londiste.table_info t
      where t.queue_name = i_queue_name and t.table_name = londiste.make_fqname(i_table_name);
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._drop_replica_triggers(2)
--
--      The same, by the name of the table here.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_dest_table    - name of the table here
-- Returns:
--      nothing
-- Tables:
--      none
-- Locks:
--      the table: ACCESS EXCLUSIVE, if it has such triggers
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._drop_replica_triggers(i_queue_name text, i_dest_table text)
returns void as $$
declare
    rel constant oid := londiste.find_table_oid(i_dest_table);
    trg name;
begin
    for trg in
        select trigger_name from londiste._replica_triggers(rel)
         where queue = convert_to(i_queue_name, getdatabaseencoding())
    loop
        execute format('drop trigger %I on %s', trg, londiste.quote_fqname(i_dest_table));
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
