-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.root_notify_change(3)
--
--      On the root: tell all nodes of a change.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_ev_type, i_ev_data - what the event is
-- Returns:
--      1
-- Tables:
--      select: pgq_node.node_info
--      insert: by pgq.insert_event
-- Locks:
--      none
-- Raises:
--      object_not_in_prerequisite_state - this is not the root
--      undefined_object - this database is no node of such a queue
-- ----------------------------------------------------------------------
create or replace function londiste.root_notify_change(i_queue_name text, i_ev_type text, i_ev_data text)
returns integer as $$
begin
    if not pgq_node.is_root_node(i_queue_name) then
        raise exception 'only root node can send events' using errcode = 'object_not_in_prerequisite_state',
            hint = format('This database is not the root of %s.', i_queue_name);
    end if;
    perform pgq.insert_event(i_queue_name, i_ev_type, i_ev_data);
    return 1;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
