-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop.unregister_subconsumer(4)
--
--      Remove a subconsumer. The main consumer and the other subconsumers stay.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the main consumer
--      i_subconsumer_name  - name of the subconsumer within the group
--      i_batch_handling    - if it has an open batch: 0 - refuse; 1 - hand its events over to the retry queue, from
--                            which the others of the group will get them
-- Returns:
--      1 - removed
--      0 - there is no such subconsumer
-- Tables:
--      delete: pgq.subscription, pgq.consumer
--      insert: pgq.retry_queue
-- Locks:
--      subscriptions of the main consumer and of the subconsumer: FOR UPDATE
-- Raises:
--      invalid_parameter_value - no such batch handling
--      object_in_use - it has an open batch, and batch handling is 0
-- ----------------------------------------------------------------------
create or replace function pgq_coop.unregister_subconsumer(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_batch_handling integer)
returns integer as $$
declare
    main record;
    sub record;
begin
    if i_batch_handling is null or i_batch_handling not in (0, 1) then
        raise exception 'unknown batch handling: %', coalesce(i_batch_handling::text, 'NULL')
            using errcode = 'invalid_parameter_value',
            hint = '0 refuses when a batch is open, 1 puts its events into the retry queue.';
    end if;
    select * into main from pgq_coop._lock_main(i_queue_name, i_consumer_name, false);
    select s.sub_consumer, s.sub_batch into sub
      from pgq.subscription s
      join pgq.consumer c on c.co_id = s.sub_consumer
     where s.sub_queue = main.queue_id and s.sub_id = main.sub_id
       and c.co_name = i_consumer_name || '.' || i_subconsumer_name
       for update of s;
    if not found then
        return 0;
    end if;

    if sub.sub_batch is not null then
        if i_batch_handling = 0 then
            raise exception 'subconsumer has active batch' using errcode = 'object_in_use',
                detail = format('Subconsumer %s of consumer %s on queue %s: batch %s.',
                                i_subconsumer_name, i_consumer_name, i_queue_name, sub.sub_batch),
                hint = 'Finish it, or unregister with batch handling 1, which puts its events into the retry queue.';
        end if;
        perform pgq.batch_retry(sub.sub_batch, 0);
    end if;
    perform pgq_coop._drop_sub(main.queue_id, sub.sub_consumer);
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
