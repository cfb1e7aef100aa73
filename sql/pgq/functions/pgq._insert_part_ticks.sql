-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._insert_part_ticks(4)
--
--      Cut the batch that a new tick will end, where the queue limits batches (queue_batch_max_events): ticks go
--      between the last one and the new one, each so many events after the one before. That they lie in one
--      transaction, or that the ticker was away for long, makes no difference.
--
--      Each such tick sees what the last tick sees, and of what the new one will see the events up to an id. All
--      that read events between ticks know that (pgq._events_sql), so to clients these ticks are like any other.
--
-- Parameters:
--      i_last      - the last tick
--      i_snapshot  - snapshot of the new tick
--      i_event_seq - event position of the new tick
--      i_limit     - events of a batch
-- Returns:
--      number of ticks inserted
-- Tables:
--      select: event tables, pgq.queue
--      insert: pgq.tick
-- Locks:
--      none; the caller has the queue's ticker lock
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq._insert_part_ticks(
    i_last pgq.tick, i_snapshot txid_snapshot, i_event_seq bigint, i_limit integer)
returns integer as $$
declare
    q record;
    cur pgq.tick;
    part_ends bigint[];
begin
    select queue_event_seq, queue_tick_seq into q from pgq.queue where queue_id = i_last.tick_queue;
    -- What is seen now, and was not then, was numbered since, or belongs to a transaction that was running then.
    if i_last.tick_part_snapshot is not null
        or coalesce(pg_sequence_last_value(q.queue_event_seq::regclass), 0) - i_last.tick_event_seq <= i_limit
           and not exists (select 1 from txid_snapshot_xip(i_last.tick_snapshot) as xid
                            where txid_visible_in_snapshot(xid, i_snapshot))
    then
        return 0;
    end if;

    cur := i_last;
    cur.tick_snapshot := i_snapshot;
    execute format(
        'select array_agg(ev_id order by ev_id)'
        '  from (select ev_id, row_number() over (order by ev_id) as nr, lead(ev_id) over (order by ev_id) as next'
        '          from (%s) ev) e'
        ' where nr %% $1 = 0 and next > ev_id', pgq._events_sql('ev.ev_id', i_last, cur, 'true'))
       into part_ends using i_limit;
    insert into pgq.tick (tick_queue, tick_id, tick_snapshot, tick_event_seq, tick_part_snapshot, tick_part_end)
    select i_last.tick_queue, nextval(q.queue_tick_seq::regclass), i_last.tick_snapshot,
           greatest(i_last.tick_event_seq, least(part_end, i_event_seq)), i_snapshot, part_end
      from unnest(part_ends) with ordinality as parts (part_end, nr)
     order by nr;
    return coalesce(cardinality(part_ends), 0);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._limit_batch(3)
--
--      Choose the end of a batch in a queue that limits them: the tick that was chosen, or, if more events lie before
--      that, the one that comes next, before which there are never more. If none was chosen, because the consumer
--      wishes for more, a full part of a batch that was cut is enough; else the result is NULL.
-- ----------------------------------------------------------------------
create or replace function pgq._limit_batch(i_last pgq.tick, i_chosen bigint, i_limit integer)
returns pgq.tick as $$
declare
    nearest pgq.tick;
    chosen pgq.tick;
    event_count bigint;
begin
    select * into nearest
      from pgq.tick where tick_queue = i_last.tick_queue and tick_id > i_last.tick_id order by tick_id limit 1;
    if i_chosen is null and nearest.tick_part_snapshot is null then
        return null;
    elsif i_chosen is null or nearest.tick_id = i_chosen then
        return nearest;
    end if;
    select * into chosen from pgq.tick where tick_queue = i_last.tick_queue and tick_id = i_chosen;
    execute format('select count(*) from (%s limit $1 + 1) ev', pgq._events_sql('1', i_last, chosen, 'true'))
       into event_count using i_limit;
    return case when event_count > i_limit then nearest else chosen end;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
