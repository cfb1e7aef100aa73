-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.unregister_consumer(2)
--
--      Remove a consumer from a queue, with its retry events. A subconsumer of pgq_coop goes alone, and the events of
--      its open batch wait in the retry queue for the others; with the main consumer go all its subconsumers.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_name - name of the consumer
-- Returns:
--      number of subscriptions removed, 0 if it was not subscribed
-- Tables:
--      delete: pgq.subscription, pgq.retry_queue, pgq.consumer
--      insert: pgq.retry_queue
-- Locks:
--      subscription and consumer row: FOR UPDATE
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.unregister_consumer(x_queue_name text, x_consumer_name text)
returns integer as $$
declare
    s record;
    removed integer[];
begin
    select sub.sub_id, sub.sub_queue, sub.sub_consumer, sub.sub_batch into s
      from pgq.subscription sub
      join pgq.queue q on q.queue_id = sub.sub_queue
      join pgq.consumer c on c.co_id = sub.sub_consumer
     where q.queue_name = x_queue_name and c.co_name = x_consumer_name
       for update of sub, c;
    if not found then
        return 0;
    end if;

    if pgq._is_subconsumer(s.sub_queue, s.sub_consumer) then
        -- The cursor of the group has passed its batch: nobody else would get these events.
        if s.sub_batch is not null then
            perform pgq.batch_retry(s.sub_batch, 0);
        end if;
        delete from pgq.subscription where sub_queue = s.sub_queue and sub_consumer = s.sub_consumer;
        removed := array[s.sub_consumer];
    else
        delete from pgq.retry_queue where ev_owner = s.sub_id;
        with gone as (
            delete from pgq.subscription where sub_queue = s.sub_queue and sub_id = s.sub_id returning sub_consumer)
        select array_agg(sub_consumer) into removed from gone;
    end if;
    delete from pgq.consumer c
     where c.co_id = any (removed)
       and not exists (select 1 from pgq.subscription sub where sub.sub_consumer = c.co_id);
    return cardinality(removed);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
