-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.ticker(1)
--
--      Tick a queue when that is due by the rules of pgq._tick_due. If producers think that the ticker sleeps
--      and there is none (pgq._ticker_present), they are told to stay silent.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      id of the new tick, NULL if it was not due
-- Tables:
--      select: pgq.queue, pgq.tick
--      insert: pgq.tick
-- Locks:
--      the queue's ticker lock: advisory, to the end of the transaction. Two tickers of a queue never overlap, or
--      ticks could be numbered in another order than their snapshots, and events would be delivered twice.
-- Raises:
--      undefined_object - no such queue
--      object_not_in_prerequisite_state - the queue has an external ticker, or is paused
--      invalid_transaction_state - not in READ COMMITTED
-- ----------------------------------------------------------------------
create or replace function pgq.ticker(i_queue_name text)
returns bigint as $$
declare
    q record;
    s record;
begin
    select queue_id, queue_external_ticker, queue_ticker_paused into q
      from pgq.queue where queue_name = i_queue_name;
    if not found then
        raise exception 'no such queue: %', coalesce(i_queue_name, 'NULL') using errcode = 'undefined_object';
    end if;
    if q.queue_external_ticker then
        raise exception 'queue % has an external tick source', i_queue_name
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if q.queue_ticker_paused then
        raise exception 'ticker is paused for queue %', i_queue_name
            using errcode = 'object_not_in_prerequisite_state',
            hint = 'Resume: select pgq.set_queue_config(queue, ''ticker_paused'', ''0'').';
    end if;

    perform pg_advisory_xact_lock('pgq.queue'::regclass::integer, q.queue_id);
    select *, event_seq - last_tick_seq as new into s from pgq._ticker_status() where queue_id = q.queue_id;
    if not found then
        return null;
    end if;
    if s.asleep and not pgq._ticker_present() then
        perform setval(s.wake_seq, 1);
    end if;
    if not pgq._tick_due(s.new, now() - s.last_tick_time, s.last_tick_time - s.prev_tick_time,
                         s.max_count, s.max_lag, s.idle_period)
    then
        return null;
    end if;
    return pgq._insert_tick(q.queue_id, s.last_tick_id);
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- Plans are made while the tables are small, and used when they are not.
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq.ticker(0)
--
--      Tick all queues for which it is due. One that cannot be ticked gives a WARNING; the others are ticked.
--
-- Returns:
--      number of ticks made
-- Locks:
--      the ticker locks of the queues that are due, one after the other by name
-- ----------------------------------------------------------------------
create or replace function pgq.ticker()
returns bigint as $$
declare
    s record;
    tick_count bigint := 0;
begin
    for s in
        select * from pgq._ticker_status(null) order by queue_name
    loop
        if s.asleep and not pgq._ticker_present() then
            perform setval(s.wake_seq, 1);
        end if;
        if pgq._tick_due(s.event_seq - s.last_tick_seq, now() - s.last_tick_time,
                         s.last_tick_time - s.prev_tick_time, s.max_count, s.max_lag, s.idle_period)
        then
            begin
                if pgq.ticker(s.queue_name) is not null then
                    tick_count := tick_count + 1;
                end if;
            exception
                when others then
                    raise warning 'pgq.ticker: queue %: %', s.queue_name, sqlerrm;
            end;
        end if;
    end loop;
    return tick_count;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.ticker(4)
--
--      Insert a tick that was made elsewhere, for a queue with an external ticker. Its snapshot is taken here and
--      now. The sequences of the queue are raised to the values given, never lowered.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_tick_id           - id of the tick
--      i_orig_timestamp    - when it was made
--      i_event_seq         - event sequence at that time
-- Returns:
--      i_tick_id
-- Locks:
--      the queue's ticker lock
-- Raises:
--      undefined_object - no such queue, or it has no external ticker, or is paused
--      unique_violation - the tick is there already
--      not_null_violation - no time or event sequence given
-- ----------------------------------------------------------------------
create or replace function pgq.ticker(
    i_queue_name text, i_tick_id bigint, i_orig_timestamp timestamptz, i_event_seq bigint)
returns bigint as $$
declare
    q record;
begin
    select queue_id, queue_tick_seq, queue_event_seq into q
      from pgq.queue
     where queue_name = i_queue_name and queue_external_ticker and not queue_ticker_paused;
    if not found then
        raise exception 'queue not found or ticker disabled: %', coalesce(i_queue_name, 'NULL')
            using errcode = 'undefined_object', hint = 'It must have external_ticker set and not be paused.';
    end if;

    perform pg_advisory_xact_lock('pgq.queue'::regclass::integer, q.queue_id);
    if pgq._is_other_era(q.queue_id) then
        perform pgq._close_era(q.queue_id);
    end if;
    insert into pgq.tick (tick_queue, tick_id, tick_time, tick_event_seq)
    values (q.queue_id, i_tick_id, i_orig_timestamp, i_event_seq);
    perform pgq.seq_setval(q.queue_tick_seq, i_tick_id);
    perform pgq.seq_setval(q.queue_event_seq, i_event_seq);
    perform pg_notify('pgq_tick_' || q.queue_id, i_tick_id::text);
    return i_tick_id;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
