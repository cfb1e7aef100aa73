-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._siblings(2)
--
--      List what queues of this database do with a table that several of them bring here: queues with the same combined
--      queue, or all without one.
--
-- Parameters:
--      i_queue_name    - name of one of these queues, it is in the list too
--      i_dest_table    - name of the table here
-- Returns:
--      rows of londiste.table_info of this table, local or not
-- Tables:
--      select: londiste.table_info, pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._siblings(i_queue_name text, i_dest_table text)
returns setof londiste.table_info as $$
    select t.*
      from pgq_node.node_info mine
      join pgq_node.node_info n on n.combined_queue is not distinct from mine.combined_queue
      join londiste.table_info t on t.queue_name = n.queue_name
     where mine.queue_name = i_queue_name and coalesce(t.dest_table, t.table_name) = i_dest_table
     order by t.queue_name, t.table_name
$$ language sql stable set search_path = pg_catalog, pg_temp;
