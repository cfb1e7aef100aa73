-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_node_attrs(2)
--
--      Set the attributes of this node.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_node_attrs        - urlencoded attributes, NULL: none
-- Returns:
--      200 - done
--      404 - this database is no node of such a queue
-- Tables:
--      update: pgq_node.node_info
-- Locks:
--      the row updated
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_node_attrs(
    i_queue_name text, i_node_attrs text, out ret_code integer, out ret_note text)
returns record as $$
begin
    update pgq_node.node_info n set node_attrs = i_node_attrs where n.queue_name = i_queue_name;
    if found then
        ret_code := 200;
        ret_note := 'Node attributes updated';
    else
        ret_code := 404;
        ret_note := format('Unknown queue: %s', i_queue_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
