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
    -- No name without a dot is one; the rest is looked up by the names that may be the main consumer's.
    return exists (
        select 1
          from pgq.consumer sub
         cross join generate_series(2, length(sub.co_name)) as dot
          join pgq.consumer main on main.co_name = left(sub.co_name, dot - 1)
         where sub.co_id = i_consumer_id and strpos(sub.co_name, '.') > 0 and substr(sub.co_name, dot, 1) = '.'
           and (select s.sub_id from pgq.subscription s where s.sub_queue = i_queue_id and s.sub_consumer = sub.co_id
                 order by s.sub_version desc limit 1)
             = (select m.sub_id from pgq.subscription m where m.sub_queue = i_queue_id and m.sub_consumer = main.co_id
                 order by m.sub_version desc limit 1));
end;
$$ language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
