-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.unregister_consumer(2)
--
--      Remove a consumer from a queue, with its retry events. A subconsumer of pgq_coop goes alone; with the main
--      consumer go all its subconsumers. A row is a subconsumer if it shares its sub_id and last and next tick are
--      both NULL or both set.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_name - name of the consumer
-- Returns:
--      number of subscriptions removed, 0 if it was not subscribed
-- Tables:
--      delete: pgq.subscription, pgq.retry_queue, pgq.consumer
-- Locks:
--      subscription and consumer row: FOR UPDATE
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.unregister_consumer(x_queue_name text, x_consumer_name text)
returns integer as $$
declare
    s record;
    group_size integer;
begin
    select sub.sub_id, sub.sub_queue, sub.sub_consumer,
           (sub.sub_last_tick is null) = (sub.sub_next_tick is null) as looks_like_sub
      into s
      from pgq.subscription sub
      join pgq.queue q on q.queue_id = sub.sub_queue
      join pgq.consumer c on c.co_id = sub.sub_consumer
     where q.queue_name = x_queue_name and c.co_name = x_consumer_name
       for update of sub, c;
    if not found then
        return 0;
    end if;

    select count(*) into group_size from pgq.subscription where sub_id = s.sub_id;
    if group_size > 1 and s.looks_like_sub then
        delete from pgq.subscription where sub_queue = s.sub_queue and sub_consumer = s.sub_consumer;
        return 1;
    end if;

    delete from pgq.retry_queue where ev_owner = s.sub_id;
    delete from pgq.subscription where sub_id = s.sub_id;
    get diagnostics group_size = row_count;
    delete from pgq.consumer c
     where c.co_id = s.sub_consumer
       and not exists (select 1 from pgq.subscription sub where sub.sub_consumer = c.co_id);
    return group_size;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
