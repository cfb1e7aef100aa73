-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.get_queue_locations(1)
--
--      List the members of a cascade.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      a row per node, by name
-- Tables:
--      select: pgq_node.node_location
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.get_queue_locations(
    i_queue_name text, out node_name text, out node_location text, out dead boolean)
returns setof record as $$
begin
    return query
    select l.node_name, l.node_location, l.dead
      from pgq_node.node_location l
     where l.queue_name = i_queue_name
     order by l.node_name;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
