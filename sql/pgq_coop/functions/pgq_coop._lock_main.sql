-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop._lock_main(3)
--
--      Find the main consumer of a group and lock its subscription: whoever changes the group holds this lock.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_consumer_name - name of the main consumer
--      i_register      - true: register it where it is missing
-- Returns:
--      the subscription of the main consumer, all NULL if there is none
-- Tables:
--      select: pgq.queue, pgq.consumer, pgq.subscription
--      insert: by pgq.register_consumer
-- Locks:
--      subscription of the main consumer: FOR UPDATE
-- Raises:
--      wrong_object_type - the name given is that of a subconsumer
--      as pgq.register_consumer
-- ----------------------------------------------------------------------
create or replace function pgq_coop._lock_main(
    i_queue_name text, i_consumer_name text, i_register boolean,
    out queue_id integer, out co_id integer, out sub_id integer, out batch_id bigint)
as $$
declare
    main_name text;
begin
    loop
        select s.sub_queue, s.sub_consumer, s.sub_id, s.sub_batch into queue_id, co_id, sub_id, batch_id
          from pgq.queue q
         cross join pgq.consumer c
         cross join lateral (
               select * from pgq.subscription now
                where now.sub_queue = q.queue_id and now.sub_consumer = c.co_id
                order by now.sub_version desc limit 1 for update) s
         where q.queue_name = i_queue_name and c.co_name = i_consumer_name;
        exit when found or not i_register;
        -- Two workers may come here at once: the second waits for the first, and then finds the row.
        perform pgq.register_consumer(i_queue_name, i_consumer_name);
    end loop;

    main_name := pgq_coop._main_of(queue_id, co_id);
    if main_name is not null then
        raise exception '% is a subconsumer of % on queue %', i_consumer_name, main_name, i_queue_name
            using errcode = 'wrong_object_type', hint = 'Give the name of the main consumer.';
    end if;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
