-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._insert_tick(2)
--
--      Tick a queue now, and announce it: NOTIFY pgq_tick_<queue id>, payload the tick's id. The caller holds the
--      ticker lock of the queue. If the queue was restored from a dump of another server, it is fitted to this one
--      first (pgq._close_era). If it limits batches, further ticks may go before the new one (pgq._insert_part_ticks).
--
-- Parameters:
--      i_queue_id      - the queue
--      i_last_tick_id  - what the caller knows as the last tick, NULL: none
-- Returns:
--      id of the new tick, NULL if the last one is another: somebody else has ticked in between
-- Tables:
--      select: pgq.queue, pgq.tick; event tables, where batches are limited
--      insert: pgq.tick
-- Locks:
--      after a restore: see pgq._close_era
-- Raises:
--      invalid_transaction_state - not in READ COMMITTED: the snapshot is older than the lock
-- ----------------------------------------------------------------------
create or replace function pgq._insert_tick(i_queue_id integer, i_last_tick_id bigint)
returns bigint as $$
declare
    q record;
    last record;
    event_pos bigint;
    snapshot txid_snapshot;
    new_tick_id bigint;
begin
    select queue_name, queue_event_seq, queue_tick_seq, queue_batch_max_events into q
      from pgq.queue where queue_id = i_queue_id;
    loop
        select t.tick_id, t.tick_event_seq, t as tick, txid_snapshot_xmax(t.tick_snapshot) as xmax, n.next_txid,
               n.next_txid - age(t.xmin) < txid_snapshot_xmin(t.tick_snapshot) as maybe_other_era
          into last
          from pgq.tick t
         cross join (select txid_snapshot_xmax(txid_current_snapshot()) as next_txid) n
         where t.tick_queue = i_queue_id order by t.tick_id desc limit 1;
        if last.tick_id is distinct from i_last_tick_id then
            return null;
        end if;
        exit when last.maybe_other_era is not true or not pgq._is_other_era(i_queue_id);
        perform pgq._close_era(i_queue_id);
    end loop;
    -- Read before the snapshot is taken: an event that is numbered later counts as new after this tick.
    event_pos := coalesce(pg_sequence_last_value(q.queue_event_seq::regclass), 0);

    if last.tick_id is not null then
        if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
            raise exception 'cannot tick queue % in a % transaction', q.queue_name,
                upper(current_setting('transaction_isolation')) using errcode = 'invalid_transaction_state',
                hint = 'A tick must see all that has committed until now: use READ COMMITTED.';
        end if;
        if last.xmax > last.next_txid or event_pos < last.tick_event_seq and event_pos > 0 then
            raise warning 'pgq: queue % has gone backwards: last tick % at event % and transaction %, now % and %',
                q.queue_name, last.tick_id, last.tick_event_seq, last.xmax, event_pos, last.next_txid;
        end if;
    end if;

    snapshot := txid_current_snapshot();
    if q.queue_batch_max_events > 0 and last.tick_id is not null then
        perform pgq._insert_part_ticks(last.tick, snapshot, event_pos, q.queue_batch_max_events);
    end if;
    insert into pgq.tick (tick_queue, tick_id, tick_snapshot, tick_event_seq)
    values (i_queue_id, nextval(q.queue_tick_seq::regclass), snapshot, event_pos)
    returning tick_id into new_tick_id;
    perform pg_notify('pgq_tick_' || i_queue_id, new_tick_id::text);
    return new_tick_id;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
