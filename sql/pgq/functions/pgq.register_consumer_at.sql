-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.register_consumer_at(3)
--
--      Subscribe a consumer to a queue at a tick, or move one there; moving gives up its open batch.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_name - name of the consumer
--      x_tick_pos      - tick after which it shall see events; NULL: the last one, or where it is already
-- Returns:
--      1 - registered
--      0 - it was registered already
-- Tables:
--      select: pgq.queue, pgq.tick
--      insert, update: pgq.consumer, pgq.subscription
-- Locks:
--      consumer row: FOR UPDATE
-- Raises:
--      null_value_not_allowed - no consumer name
--      undefined_object - no such queue or tick
--      object_not_in_prerequisite_state - the queue has no tick yet
-- ----------------------------------------------------------------------
create or replace function pgq.register_consumer_at(x_queue_name text, x_consumer_name text, x_tick_pos bigint)
returns integer as $$
declare
    the_queue_id integer;
    the_consumer_id integer;
    start_tick bigint := x_tick_pos;
begin
    if x_consumer_name is null then
        raise exception 'consumer name must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    select queue_id into the_queue_id from pgq.queue where queue_name = x_queue_name;
    if not found then
        raise exception 'event queue not created yet: %', coalesce(x_queue_name, 'NULL')
            using errcode = 'undefined_object', hint = 'Create it: select pgq.create_queue(queue).';
    end if;
    if x_tick_pos is not null then
        perform 1 from pgq.tick where tick_queue = the_queue_id and tick_id = x_tick_pos;
        if not found then
            raise exception 'cannot reposition consumer % of queue %: tick % not found',
                x_consumer_name, x_queue_name, x_tick_pos using errcode = 'undefined_object',
                hint = 'Ticks are listed in pgq.tick, until their events have been rotated away.';
        end if;
    end if;

    the_consumer_id := pgq._get_consumer(x_consumer_name);
    perform 1 from pgq.subscription where sub_queue = the_queue_id and sub_consumer = the_consumer_id;
    if found then
        if x_tick_pos is not null then
            update pgq.subscription
               set sub_last_tick = x_tick_pos, sub_batch = null, sub_next_tick = null, sub_active = now()
             where sub_queue = the_queue_id and sub_consumer = the_consumer_id;
        end if;
        return 0;
    end if;

    if start_tick is null then
        select tick_id into start_tick
          from pgq.tick where tick_queue = the_queue_id order by tick_id desc limit 1;
        if not found then
            raise exception 'no ticks for queue %', x_queue_name
                using errcode = 'object_not_in_prerequisite_state',
                hint = 'Run the ticker: select pgq.ticker(queue).';
        end if;
    end if;
    insert into pgq.subscription (sub_queue, sub_consumer, sub_last_tick)
    values (the_queue_id, the_consumer_id, start_tick);
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
