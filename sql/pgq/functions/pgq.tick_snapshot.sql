-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.tick_snapshot(1)
--
--      Tick a queue with the snapshot of this REPEATABLE READ transaction. What the transaction reads, and those that
--      import its snapshot, is then exactly what a consumer has that finished the tick.
--
--      The session must have taken the queue's ticker lock before the transaction began:
--      select pg_advisory_lock('pgq.queue'::regclass::integer, queue_id).
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      id of the new tick, NULL if the snapshot is older than the last tick: begin again
-- Tables:
--      select: pgq.queue, pgq.tick
--      insert: pgq.tick
-- Locks:
--      the queue's ticker lock (see pgq.ticker)
-- Raises:
--      undefined_object - no such queue
--      object_not_in_prerequisite_state - the queue has an external ticker, or is paused, or was never ticked
--      invalid_transaction_state - not in REPEATABLE READ
-- ----------------------------------------------------------------------
create or replace function pgq.tick_snapshot(i_queue_name text)
returns bigint as $$
declare
    q record;
    last record;
    new_tick_id bigint;
begin
    if current_setting('transaction_isolation') = 'read committed' then
        raise exception 'cannot tick queue % with a snapshot in a READ COMMITTED transaction', i_queue_name
            using errcode = 'invalid_transaction_state', hint = 'Use REPEATABLE READ.';
    end if;
    select queue_id, queue_tick_seq, queue_external_ticker or queue_ticker_paused as not_here into q
      from pgq.queue where queue_name = i_queue_name;
    if not found then
        raise exception 'no such queue: %', coalesce(i_queue_name, 'NULL') using errcode = 'undefined_object';
    end if;
    perform pg_advisory_xact_lock('pgq.queue'::regclass::integer, q.queue_id);
    select tick_id, tick_event_seq, tick_snapshot into last
      from pgq.tick where tick_queue = q.queue_id order by tick_id desc limit 1;
    if q.not_here or not found or pgq._is_other_era(q.queue_id) then
        raise exception 'queue % cannot be ticked here', i_queue_name
            using errcode = 'object_not_in_prerequisite_state',
            hint = 'It has an external ticker, or its ticker is paused, or was never run.';
    end if;
    -- The sequence is seen outside of snapshots: a tick that somebody has made since ours was taken.
    if pg_sequence_last_value(q.queue_tick_seq::regclass) > last.tick_id then
        return null;
    end if;

    -- With the event position of the last tick: an event that was numbered before this snapshot, and commits after
    -- it, has to count as new. One tick too many is the price.
    insert into pgq.tick (tick_queue, tick_id, tick_event_seq, tick_snapshot)
    values (q.queue_id, nextval(q.queue_tick_seq::regclass), last.tick_event_seq, txid_current_snapshot())
    returning tick_id into new_tick_id;
    perform pg_notify('pgq_tick_' || q.queue_id, new_tick_id::text);
    return new_tick_id;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
