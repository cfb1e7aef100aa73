-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._tick_exists(2)
--
--      Does the local queue have a tick?
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_tick_id           - id of the tick
-- Returns:
--      true: it is there
-- Tables:
--      select: pgq.queue, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node._tick_exists(i_queue_name text, i_tick_id bigint)
returns boolean as $$
begin
    return exists (
        select 1
          from pgq.queue q
          join pgq.tick t on t.tick_queue = q.queue_id
         where q.queue_name = i_queue_name and t.tick_id = i_tick_id);
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
