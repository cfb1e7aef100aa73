-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._node(1)
--
--      Tell what part this database plays in the cascade of a queue.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      one row, with NULLs where this database is no node of it;
--      combined_type: what it is in the combined queue
-- Tables:
--      select: pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._node(
    i_queue_name text, out node_type text, out combined_queue text, out combined_type text)
returns record as $$
    select n.node_type, n.combined_queue, c.node_type
    -- There is always a row: a function that returns none leaves a variable without columns.
      from (select 1) one
      left join pgq_node.node_info n on n.queue_name = i_queue_name
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
$$ language sql stable set search_path = pg_catalog, pg_temp;
