-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.get_consumer_info(1)
--
--      List the cascaded consumers that write here, the worker among them.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      a row per consumer, by name
-- Tables:
--      select: pgq_node.local_state
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.get_consumer_info(
    i_queue_name text, out consumer_name text, out provider_node text, out last_tick_id bigint,
    out paused boolean, out uptodate boolean, out cur_error text)
returns setof record as $$
begin
    return query
    select l.consumer_name, l.provider_node, l.last_tick_id, l.paused, l.uptodate, l.cur_error
      from pgq_node.local_state l
     where l.queue_name = i_queue_name
     order by l.consumer_name;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
