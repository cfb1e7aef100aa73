-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop.next_batch_custom(7)
--
--      Open the next batch for a subconsumer, or give the one that it has. The cursor of the main consumer moves on
--      at once, so the next subconsumer gets the next batch: there is no order between them. Main consumer and
--      subconsumer are registered where they are missing.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the main consumer
--      i_subconsumer_name  - name of the subconsumer within the group
--      i_min_lag, i_min_count, i_min_interval - as in pgq.next_batch_custom
--      i_dead_interval     - subconsumers that have not called for so long are removed, and their batch is taken
--                            over; NULL: never. It has to be longer than a batch takes, or than the time between
--                            calls of pgq_coop.heartbeat.
-- Returns:
--      id of the batch, NULL if there is none
-- Tables:
--      select: pgq.tick
--      insert, update, delete: pgq.subscription, pgq.consumer
-- Locks:
--      subscription of the main consumer: FOR UPDATE, to the end of the transaction. So commit before work on the
--      batch begins.
-- Raises:
--      invalid_parameter_value - the interval is negative
--      object_in_use - the main consumer has opened a batch for itself
--      as pgq_coop._lock_main, pgq_coop._register_sub
-- ----------------------------------------------------------------------
create or replace function pgq_coop.next_batch_custom(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text,
    i_min_lag interval, i_min_count integer, i_min_interval interval, i_dead_interval interval)
returns bigint as $$
declare
    main record;
    sub record;
    batch record;
begin
    if i_dead_interval < interval '0' then
        raise exception 'dead interval must not be negative: %', i_dead_interval
            using errcode = 'invalid_parameter_value';
    end if;
    select * into main from pgq_coop._lock_main(i_queue_name, i_consumer_name, true);
    if main.batch_id is not null then
        raise exception 'main consumer has batch open?' using errcode = 'object_in_use',
            detail = format('Consumer %s on queue %s: batch %s.', i_consumer_name, i_queue_name, main.batch_id),
            hint = format('If it is nobody''s work any more, close it: select pgq.finish_batch(%s).', main.batch_id);
    end if;
    select * into sub
      from pgq_coop._register_sub(i_queue_name, main.queue_id, main.sub_id, i_consumer_name, i_subconsumer_name);

    if sub.batch_id is null and i_dead_interval is not null then
        sub.batch_id := pgq_coop._take_over(main.queue_id, main.sub_id, main.co_id, sub.co_id,
                                            now() - i_dead_interval);
    end if;
    if sub.batch_id is not null then
        update pgq.subscription set sub_active = now(), sub_version = sub_version + 1
         where ctid = pgq._subscription_now(main.queue_id, sub.co_id);
        return sub.batch_id;
    end if;

    select f.batch_id, f.prev_tick_id, f.cur_tick_id into batch
      from pgq.next_batch_custom(i_queue_name, i_consumer_name, i_min_lag, i_min_count, i_min_interval) f;
    if batch.batch_id is not null then
        update pgq.subscription
           set sub_last_tick = batch.cur_tick_id, sub_next_tick = null, sub_batch = null, sub_version = sub_version + 1
         where ctid = pgq._subscription_now(main.queue_id, main.co_id);
    end if;
    -- Without a batch all three are NULL: that also mends a row that pgq.finish_batch of PgQ 3 has closed.
    update pgq.subscription
       set sub_batch = batch.batch_id, sub_last_tick = batch.prev_tick_id, sub_next_tick = batch.cur_tick_id,
           sub_active = now(), sub_version = sub_version + 1
     where ctid = pgq._subscription_now(main.queue_id, sub.co_id);
    return batch.batch_id;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_coop.next_batch_custom(6)
--
--      The same without take-over.
-- ----------------------------------------------------------------------
create or replace function pgq_coop.next_batch_custom(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text,
    i_min_lag interval, i_min_count integer, i_min_interval interval)
returns bigint as $$
begin
    return pgq_coop.next_batch_custom(i_queue_name, i_consumer_name, i_subconsumer_name,
                                      i_min_lag, i_min_count, i_min_interval, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
