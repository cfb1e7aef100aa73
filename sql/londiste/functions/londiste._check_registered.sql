-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._check_registered(5)
--
--      Does the queue have the table, and is it not added here yet?
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_dest_table    - name of the table here, NULL: the same
--      i_table_attrs   - attributes, empty for none
--      i_title         - the table in messages
-- Returns:
--      code and note as for local_add_table; NULL: it can be added
-- Tables:
--      select: londiste.table_info, pgq_node.node_info
-- Locks:
--      row of londiste.table_info: FOR UPDATE; an advisory lock for its name
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._check_registered(
    i_queue_name text, i_table_name text, i_dest_table text, i_table_attrs text, i_title text,
    out code integer, out note text)
returns record as $$
declare
    node constant record := londiste._node(i_queue_name);
    tbl londiste.table_info;
begin
    -- On the root there is no row yet that of two callers the second could wait for.
    perform pg_advisory_xact_lock(hashtextextended(format('londiste.table_info %s %s', i_queue_name, i_table_name), 0));
    select t.* into tbl
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = i_table_name
       for update;
    if node.node_type is null then
        code := 400;
        note := 'No such set: ' || coalesce(i_queue_name, 'NULL');
    elsif tbl.queue_name is null and node.node_type <> 'root' then
        code := 404;
        note := 'Table not available on queue: ' || i_title;
    elsif not tbl.local or tbl.queue_name is null then
        return;
    elsif coalesce(tbl.table_attrs, '') <> i_table_attrs then
        code := 410;
        note := format('Table %s already added, but with different args: %s', i_title, tbl.table_attrs);
    elsif londiste.make_fqname(i_dest_table) <> coalesce(tbl.dest_table, tbl.table_name) then
        code := 410;
        note := format('Table %s already added, but with different table: %s', i_title,
                       coalesce(tbl.dest_table, tbl.table_name));
    else
        code := 200;
        note := 'Table already added: ' || i_title;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
