-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.register_location(4)
--
--      Note where a node of the cascade is, or that it is dead. The root tells all others of it by an event.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_node_name         - name of the node
--      i_node_location     - connect string; NULL: keep the one that is known, and a node that is unknown stays so
--      i_dead              - true: the node is gone, do not try to reach it
-- Returns:
--      200 - done
-- Tables:
--      insert, update: pgq_node.node_location
--      insert: by pgq.insert_event, event pgq.location-info
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for
-- Raises:
--      null_value_not_allowed - no name of queue or node
--      as pgq.insert_event - on a root that is being demoted
-- ----------------------------------------------------------------------
create or replace function pgq_node.register_location(
    i_queue_name text, i_node_name text, i_node_location text, i_dead boolean, out ret_code integer, out ret_note text)
returns record as $$
declare
    the_type text;
begin
    if i_queue_name is null or i_node_name is null then
        raise exception 'names of queue and node must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    select n.node_type into the_type from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;

    if i_node_location is null then
        update pgq_node.node_location l set dead = coalesce(i_dead, false)
         where l.queue_name = i_queue_name and l.node_name = i_node_name
           and l.dead is distinct from coalesce(i_dead, false);
    else
        insert into pgq_node.node_location as l (queue_name, node_name, node_location, dead)
        values (i_queue_name, i_node_name, i_node_location, coalesce(i_dead, false))
        on conflict (queue_name, node_name) do update
           set node_location = excluded.node_location, dead = excluded.dead
         where (l.node_location, l.dead) is distinct from (excluded.node_location, excluded.dead);
    end if;

    -- Without a change too: a node that has missed the last event learns it now.
    if the_type = 'root' then
        perform pgq.insert_event(i_queue_name, 'pgq.location-info', i_node_name, i_queue_name, i_node_location,
                                 coalesce(i_dead, false)::text, null);
    end if;
    ret_code := 200;
    ret_note := 'Location registered';
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
