-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.get_table_list(1)
--
--      List the tables of a queue, with their state here.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      columns of londiste.table_info; of tables that are being copied also what _coordinate_copy gives
-- Tables:
--      select: londiste.table_info, pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.get_table_list(
    i_queue_name text, out table_name text, out local boolean, out merge_state text, out custom_snapshot text,
    out table_attrs text, out dropped_ddl text, out copy_role text, out copy_pos integer, out dest_table text)
returns setof record as $$
begin
    for table_name, local, merge_state, custom_snapshot, table_attrs, dropped_ddl, dest_table in
        select t.table_name, t.local, t.merge_state, t.custom_snapshot, t.table_attrs, t.dropped_ddl, t.dest_table
          from londiste.table_info t
         where t.queue_name = i_queue_name
         order by t.nr, t.table_name
    loop
        copy_role := null;
        copy_pos := 0;
        if merge_state in ('in-copy', 'catching-up') then
            select f.copy_role, f.copy_pos into copy_role, copy_pos
              from londiste._coordinate_copy(i_queue_name, table_name) f;
        end if;
        return next;
    end loop;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
