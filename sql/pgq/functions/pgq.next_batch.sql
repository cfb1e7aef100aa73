-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.next_batch_custom(5)
--
--      Open the next batch of a consumer, or give the one that is open. Nothing is written, and nothing locked,
--      while there is no batch to open. Where the queue limits batches, ticks are not put together beyond the limit.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_consumer_name - name of the consumer
--      i_min_lag       - the tick that ends the batch shall be at least this old, NULL: any age
--      i_min_count     - see pgq.find_tick_helper; NULL for both: the batch ends at the next tick
--      i_min_interval  - the same
-- Returns:
--      one row: the batch with its ticks, all NULL if there is none. The event_seq columns are hints, not counts.
-- Tables:
--      select: pgq.queue, pgq.consumer, pgq.tick
--      update: pgq.subscription
-- Locks:
--      subscription row, when a batch is opened: FOR NO KEY UPDATE, to the end of the transaction. A second caller
--      for the same consumer waits, then sees what the first has done.
-- Raises:
--      undefined_object - the consumer is not subscribed
--      object_not_in_prerequisite_state - it was gone for too long, and its events have been rotated away
--      data_corrupted - its last tick is lost
-- ----------------------------------------------------------------------
create or replace function pgq.next_batch_custom(
    i_queue_name text, i_consumer_name text, i_min_lag interval, i_min_count integer, i_min_interval interval,
    out batch_id bigint, out cur_tick_id bigint, out prev_tick_id bigint, out cur_tick_time timestamptz,
    out prev_tick_time timestamptz, out cur_tick_event_seq bigint, out prev_tick_event_seq bigint)
as $$
declare
    s record;
    next record;
begin
    loop
        select sub.tid, sub.sub_version, sub.sub_queue, sub.sub_consumer, sub.sub_last_tick, sub.sub_batch, sub.sub_next_tick,
               sub.sub_detached, q.queue_batch_max_events as max_events, prev, prev.tick_id as prev_id, prev.tick_time as prev_time, prev.tick_event_seq as prev_seq,
               cur.tick_time as cur_time, cur.tick_event_seq as cur_seq
          into s
          from pgq.queue q
         cross join pgq.consumer c
         cross join lateral (
               select sn.ctid as tid, sn.*
                 from pgq.subscription sn
                where sn.sub_queue = q.queue_id and sn.sub_consumer = c.co_id
                order by sn.sub_version desc limit 1) sub
          left join pgq.tick prev on prev.tick_queue = sub.sub_queue and prev.tick_id = sub.sub_last_tick
          left join pgq.tick cur on cur.tick_queue = sub.sub_queue and cur.tick_id = sub.sub_next_tick
         where q.queue_name = i_queue_name and c.co_name = i_consumer_name;
        if not found then
            raise exception 'Not subscriber to queue: %/%',
                coalesce(i_queue_name, 'NULL'), coalesce(i_consumer_name, 'NULL') using errcode = 'undefined_object',
                hint = 'Register it: select pgq.register_consumer(queue, consumer).';
        end if;
        if s.sub_detached is not null then
            perform pgq._attach_consumer(s.sub_queue, s.sub_consumer);
            continue;
        end if;
        if s.prev_id is null then
            raise exception 'PgQ corruption: consumer % on queue % does not see tick %',
                i_consumer_name, i_queue_name, coalesce(s.sub_last_tick::text, 'NULL')
                using errcode = 'data_corrupted',
                hint = 'Move the consumer to a tick that exists: pgq.register_consumer_at(queue, consumer, tick).';
        end if;

        prev_tick_id := s.sub_last_tick;
        prev_tick_time := s.prev_time;
        prev_tick_event_seq := s.prev_seq;
        if s.sub_batch is not null then
            batch_id := s.sub_batch;
            cur_tick_id := s.sub_next_tick;
            cur_tick_time := s.cur_time;
            cur_tick_event_seq := s.cur_seq;
            return;
        end if;

        if i_min_count is null and i_min_interval is null then
            select tick_id, tick_time, tick_event_seq into next
              from pgq.tick
             where tick_queue = s.sub_queue and tick_id > s.sub_last_tick
             order by tick_id limit 1;
        else
            select next_tick_id as tick_id, next_tick_time as tick_time, next_tick_seq as tick_event_seq into next
              from pgq.find_tick_helper(s.sub_queue, s.sub_last_tick, s.prev_time, s.prev_seq,
                                        i_min_count, i_min_interval);
            if s.max_events > 0 then
                select * into next from pgq._limit_batch(s.prev, next.tick_id, s.max_events);
            end if;
        end if;
        if next.tick_id is null or coalesce(now() - next.tick_time < i_min_lag, false) then
            prev_tick_id := null;
            prev_tick_time := null;
            prev_tick_event_seq := null;
            return;
        end if;

        -- Nothing is updated if somebody else has opened a batch or moved the consumer meanwhile: then look again.
        update pgq.subscription sub
           set sub_batch = nextval('pgq.batch_id_seq'), sub_next_tick = next.tick_id, sub_active = now(),
               sub_version = s.sub_version + 1
         where sub.ctid = s.tid and sub.sub_version = s.sub_version
           and sub.sub_queue = s.sub_queue and sub.sub_consumer = s.sub_consumer
        returning sub.sub_batch into batch_id;
        exit when found;
    end loop;

    cur_tick_id := next.tick_id;
    cur_tick_time := next.tick_time;
    cur_tick_event_seq := next.tick_event_seq;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- Plans are made while the tables are small, and used when they are not.
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq.next_batch_info(2)
--
--      The same without wishes: the batch ends at the next tick.
-- ----------------------------------------------------------------------
create or replace function pgq.next_batch_info(
    i_queue_name text, i_consumer_name text,
    out batch_id bigint, out cur_tick_id bigint, out prev_tick_id bigint, out cur_tick_time timestamptz,
    out prev_tick_time timestamptz, out cur_tick_event_seq bigint, out prev_tick_event_seq bigint)
as $$
begin
    select f.batch_id, f.cur_tick_id, f.prev_tick_id, f.cur_tick_time, f.prev_tick_time,
           f.cur_tick_event_seq, f.prev_tick_event_seq
      into batch_id, cur_tick_id, prev_tick_id, cur_tick_time, prev_tick_time, cur_tick_event_seq,
           prev_tick_event_seq
      from pgq.next_batch_custom(i_queue_name, i_consumer_name, null, null, null) f;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.next_batch(2)
--
--      The same, gives only the id of the batch.
-- ----------------------------------------------------------------------
create or replace function pgq.next_batch(i_queue_name text, i_consumer_name text)
returns bigint as $$
begin
    return (select f.batch_id from pgq.next_batch_custom(i_queue_name, i_consumer_name, null, null, null) f);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
