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
    select main.co_name
      from pgq.consumer sub
     cross join generate_series(2, length(sub.co_name)) as dot
      join pgq.consumer main on main.co_name = left(sub.co_name, dot - 1)
     where sub.co_id = i_co_id and strpos(sub.co_name, '.') > 0 and substr(sub.co_name, dot, 1) = '.'
       and (select s.sub_id from pgq.subscription s where s.sub_queue = i_queue_id and s.sub_consumer = sub.co_id
             order by s.sub_version desc limit 1)
         = (select m.sub_id from pgq.subscription m where m.sub_queue = i_queue_id and m.sub_consumer = main.co_id
             order by m.sub_version desc limit 1)
     order by length(main.co_name)
     limit 1
$$ language sql stable
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
