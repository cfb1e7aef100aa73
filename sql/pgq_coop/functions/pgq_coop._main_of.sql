-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop._main_of(2)
--
--      Name the main consumer of a subconsumer: it shares its sub_id, and its name is what stands before the dot.
--
-- Parameters:
--      i_queue_id  - the queue
--      i_co_id     - the subconsumer
-- Returns:
--      name of the main consumer, NULL: this is no subconsumer
-- Tables:
--      select: pgq.subscription, pgq.consumer
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_coop._main_of(i_queue_id integer, i_co_id integer)
returns text as $$
    select m.co_name
      from pgq.subscription s
      join pgq.consumer c on c.co_id = s.sub_consumer
      join pgq.subscription g on g.sub_queue = s.sub_queue and g.sub_id = s.sub_id
      join pgq.consumer m on m.co_id = g.sub_consumer
     where s.sub_queue = i_queue_id and s.sub_consumer = i_co_id
       and starts_with(c.co_name, m.co_name || '.')
     order by length(m.co_name)
     limit 1
$$ language sql stable set search_path = pg_catalog, pg_temp;
