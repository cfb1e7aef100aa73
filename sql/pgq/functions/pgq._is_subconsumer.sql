-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._is_subconsumer(2)
--
--      Is a subscription that of a subconsumer of pgq_coop? It shares its sub_id with its main consumer, whose name
--      is what stands before the dot of its own.
--
-- Parameters:
--      i_queue_id      - the queue
--      i_consumer_id   - the consumer
-- Returns:
--      true: it is
-- Tables:
--      select: pgq.subscription, pgq.consumer
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._is_subconsumer(i_queue_id integer, i_consumer_id integer)
returns boolean as $$
begin
    return exists (
        select 1
          from pgq.subscription s
          join pgq.subscription m on m.sub_queue = s.sub_queue and m.sub_id = s.sub_id
           and m.sub_consumer <> s.sub_consumer
          join pgq.consumer sub on sub.co_id = s.sub_consumer
          join pgq.consumer main on main.co_id = m.sub_consumer
         where s.sub_queue = i_queue_id and s.sub_consumer = i_consumer_id
           and starts_with(sub.co_name, main.co_name || '.'));
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
