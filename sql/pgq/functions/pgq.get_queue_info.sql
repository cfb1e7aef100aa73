-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.get_queue_info(1)
--
--      Describe a queue, or all of them.
--
-- Parameters:
--      i_queue_name    - name of the queue, NULL: all
-- Returns:
--      a row per queue, by name; none for an unknown one. ticker_lag: age of the last tick. ev_per_sec: over the
--      last 20 ticks, NULL if they span no time. ev_new: events numbered since the last tick.
-- Tables:
--      select: pgq.queue, pgq.tick, event sequences
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.get_queue_info(
    i_queue_name text,
    out queue_name text, out queue_ntables integer, out queue_cur_table integer, out queue_rotation_period interval,
    out queue_switch_time timestamptz, out queue_external_ticker boolean, out queue_ticker_paused boolean,
    out queue_ticker_max_count integer, out queue_ticker_max_lag interval, out queue_ticker_idle_period interval,
    out ticker_lag interval, out ev_per_sec float8, out ev_new bigint, out last_tick_id bigint)
returns setof record as $$
begin
    return query
    select q.queue_name, q.queue_ntables, q.queue_cur_table, q.queue_rotation_period, q.queue_switch_time,
           q.queue_external_ticker, q.queue_ticker_paused, q.queue_ticker_max_count, q.queue_ticker_max_lag,
           q.queue_ticker_idle_period, current_timestamp - top.tick_time,
           (top.tick_event_seq - base.tick_event_seq)
               / nullif(extract(epoch from top.tick_time - base.tick_time), 0)::float8,
           coalesce(pg_sequence_last_value(to_regclass(q.queue_event_seq)), 0) - top.tick_event_seq,
           top.tick_id
      from pgq.queue q
      left join lateral (
           select t.tick_id, t.tick_time, t.tick_event_seq
             from pgq.tick t where t.tick_queue = q.queue_id order by t.tick_id desc limit 1) top on true
      left join lateral (
           select t.tick_time, t.tick_event_seq
             from pgq.tick t where t.tick_queue = q.queue_id and t.tick_id >= top.tick_id - 20
            order by t.tick_id limit 1) base on true
     where i_queue_name is null or q.queue_name = i_queue_name
     order by q.queue_name;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.get_queue_info(0)
--
--      The same for all queues.
-- ----------------------------------------------------------------------
create or replace function pgq.get_queue_info(
    out queue_name text, out queue_ntables integer, out queue_cur_table integer, out queue_rotation_period interval,
    out queue_switch_time timestamptz, out queue_external_ticker boolean, out queue_ticker_paused boolean,
    out queue_ticker_max_count integer, out queue_ticker_max_lag interval, out queue_ticker_idle_period interval,
    out ticker_lag interval, out ev_per_sec float8, out ev_new bigint, out last_tick_id bigint)
returns setof record as $$
begin
    return query select * from pgq.get_queue_info(null);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
