-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.is_leaf_node(1)
--
--      Is this database a leaf of a cascade?
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      true: it is
-- Tables:
--      select: pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      undefined_object - it is no node of such a queue
-- ----------------------------------------------------------------------
create or replace function pgq_node.is_leaf_node(i_queue_name text)
returns boolean as $$
declare
    the_type text;
begin
    select n.node_type into the_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        raise exception 'queue does not exist: %', coalesce(i_queue_name, 'NULL') using errcode = 'undefined_object',
            hint = 'This database is no node of it: see pgq_node.node_info.';
    end if;
    return the_type = 'leaf';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
