-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop._drop_sub(2)
--
--      Remove the subscription of a subconsumer, and its name where no other queue knows it.
--
-- Parameters:
--      i_queue_id  - the queue
--      i_co_id     - the subconsumer
-- Returns:
--      nothing
-- Tables:
--      delete: pgq.subscription, pgq.consumer
-- Locks:
--      the rows deleted; the caller has the lock of the main consumer
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_coop._drop_sub(i_queue_id integer, i_co_id integer)
returns void as $$
begin
    delete from pgq.subscription where sub_queue = i_queue_id and sub_consumer = i_co_id;
    delete from pgq.consumer c
     where c.co_id = i_co_id
       and not exists (select 1 from pgq.subscription s where s.sub_consumer = c.co_id);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
