-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.get_consumer_state(2)
--
--      Tell a cascaded consumer what to read, how far it has come and whether it may go on.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_consumer_name - name of the consumer
-- Returns:
--      100 - Ok
--      404 - this database is no node of such a queue, or there is no such consumer
-- Tables:
--      select: pgq_node.node_info, pgq_node.local_state, pgq_node.node_location
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.get_consumer_state(
    i_queue_name text, i_consumer_name text, out ret_code integer, out ret_note text, out node_type text,
    out node_name text, out completed_tick bigint, out provider_node text, out provider_location text,
    out paused boolean, out uptodate boolean, out cur_error text)
returns record as $$
begin
    select n.node_type, n.node_name into node_type, node_name
      from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown queue: %s', i_queue_name);
        return;
    end if;
    select 100, 'Ok', l.last_tick_id, l.provider_node, p.node_location, l.paused, l.uptodate, l.cur_error
      into ret_code, ret_note, completed_tick, provider_node, provider_location, paused, uptodate, cur_error
      from pgq_node._local_state(i_queue_name, i_consumer_name) l
      left join pgq_node.node_location p on p.queue_name = l.queue_name and p.node_name = l.provider_node;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown consumer: %s/%s', i_queue_name, i_consumer_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
