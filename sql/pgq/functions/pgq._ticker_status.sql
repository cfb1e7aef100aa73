-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._ticker_status(1)
--
--      What a ticker has to know of queues that it may tick, that is, which are neither external nor paused.
--
-- Parameters:
--      i_queue_ids     - queues, NULL: all
-- Returns:
--      a row per queue. event_seq is the id of the last event that was numbered, committed or not, 0 if there was
--      none, NULL if the sequence is lost. The fields of ticks are NULL where there is no such tick.
-- Tables:
--      select: pgq.queue, pgq.tick, event sequences
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._ticker_status(i_queue_ids integer[])
returns table (
    queue_id integer, queue_name text, max_count integer, max_lag interval, idle_period interval, data_pfx text,
    ntables integer, cur_table integer, switch_step2 bigint, event_seq bigint, last_tick_id bigint,
    last_tick_time timestamptz, last_tick_seq bigint, last_snapshot txid_snapshot, prev_tick_time timestamptz,
    wake_seq regclass, asleep boolean
) as $$
    select * from pgq._ticker_status() s where i_queue_ids is null or s.queue_id = any (i_queue_ids)
$$ language sql stable;

-- ----------------------------------------------------------------------
-- Function: pgq._ticker_status(0)
--
--      The same for all queues; becomes part of the query that calls it.
-- ----------------------------------------------------------------------
create or replace function pgq._ticker_status()
returns table (
    queue_id integer, queue_name text, max_count integer, max_lag interval, idle_period interval, data_pfx text,
    ntables integer, cur_table integer, switch_step2 bigint, event_seq bigint, last_tick_id bigint,
    last_tick_time timestamptz, last_tick_seq bigint, last_snapshot txid_snapshot, prev_tick_time timestamptz,
    wake_seq regclass, asleep boolean
) as $$
    select q.queue_id, q.queue_name, q.queue_ticker_max_count, q.queue_ticker_max_lag,
           q.queue_ticker_idle_period, q.queue_data_pfx, q.queue_ntables, q.queue_cur_table, q.queue_switch_step2,
           case when seq.event is not null then coalesce(pg_catalog.pg_sequence_last_value(seq.event), 0) end,
           t.tick_id, t.tick_time, t.tick_event_seq, t.tick_snapshot, p.tick_time,
           seq.wake, coalesce(pg_catalog.pg_sequence_last_value(seq.wake) = 2, false)
      from pgq.queue q
     cross join lateral (
           select pg_catalog.to_regclass(q.queue_event_seq) as event,
                  pg_catalog.to_regclass(q.queue_wake_seq) as wake offset 0) seq
      left join lateral (
           select tick_id, tick_time, tick_event_seq, tick_snapshot
             from pgq.tick where tick_queue = q.queue_id order by tick_id desc limit 1) t on true
      left join lateral (
           select tick_time
             from pgq.tick where tick_queue = q.queue_id and tick_id < t.tick_id
            order by tick_id desc limit 1) p on true
     where not q.queue_external_ticker
       and not q.queue_ticker_paused
$$ language sql stable;
