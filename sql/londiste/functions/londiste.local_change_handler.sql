-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_change_handler(4)
--
--      Give a table other attributes, and triggers that fit.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_trg_args      - as for local_add_table
--      i_table_attrs   - urlencoded attributes
-- Returns:
--      200 - done
--      301, 302 - done, see local_add_table
--      400 - this database is no node of the queue
--      403, 405 - see create_trigger
--      404 - no such table here
-- Tables:
--      update: londiste.table_info
-- Locks:
--      row of londiste.table_info; the table as in create_trigger
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.local_change_handler(
    i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs text,
    out ret_code integer, out ret_note text)
returns record as $$
declare
    node constant record := londiste._node(i_queue_name);
    tbl londiste.table_info;
begin
    if node.node_type is null then
        ret_code := 400;
        ret_note := 'No such set: ' || i_queue_name;
        return;
    end if;
    update londiste.table_info t set table_attrs = i_table_attrs
     where t.queue_name = i_queue_name and t.table_name = londiste.make_fqname(i_table_name) and t.local
    returning * into tbl;
    if not found then
        ret_code := 404;
        ret_note := 'no such local table: ' || i_table_name;
        return;
    end if;
    select f.ret_code, f.ret_note into ret_code, ret_note
      from londiste.create_trigger(i_queue_name, tbl.table_name, i_trg_args,
                                   coalesce(tbl.dest_table, tbl.table_name), node.node_type) f;
    if ret_code < 400 then
        if ret_code = 201 then
            perform londiste._drop_replica_triggers(i_queue_name, coalesce(tbl.dest_table, tbl.table_name));
        end if;
        ret_code := 200;
        ret_note := format('Handler of %s changed', tbl.table_name);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
