-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.find_tick_helper(6)
--
--      Choose the tick that ends a batch which shall have at least so many events or span so much time.
--
-- Parameters:
--      i_queue_id          - the queue
--      i_prev_tick_id, i_prev_tick_time, i_prev_tick_seq - tick that the batch starts at
--      i_min_count         - events wanted, NULL: any
--      i_min_interval      - time between the ticks wanted, NULL: any
-- Returns:
--      the newest tick, if it meets one of the wishes and is not above twice of one; then the first that meets one.
--      NULLs if none does.
-- Tables:
--      select: pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.find_tick_helper(
    i_queue_id integer, i_prev_tick_id bigint, i_prev_tick_time timestamptz, i_prev_tick_seq bigint,
    i_min_count bigint, i_min_interval interval,
    out next_tick_id bigint, out next_tick_time timestamptz, out next_tick_seq bigint)
as $$
declare
    newest record;
begin
    select tick_id, tick_time, tick_event_seq,
           tick_event_seq - i_prev_tick_seq as event_count, tick_time - i_prev_tick_time as time_span
      into newest
      from pgq.tick
     where tick_queue = i_queue_id and tick_id > i_prev_tick_id
     order by tick_id desc limit 1;
    if not found or not coalesce(newest.event_count >= i_min_count, false)
        and not coalesce(newest.time_span >= i_min_interval, false)
    then
        return;
    end if;

    if coalesce(newest.event_count > i_min_count * 2, false)
        or coalesce(newest.time_span > i_min_interval * 2, false)
    then
        select tick_id, tick_time, tick_event_seq
          into next_tick_id, next_tick_time, next_tick_seq
          from pgq.tick
         where tick_queue = i_queue_id and tick_id > i_prev_tick_id
           and (tick_event_seq - i_prev_tick_seq >= i_min_count or tick_time - i_prev_tick_time >= i_min_interval)
         order by tick_id limit 1;
        return;
    end if;
    next_tick_id := newest.tick_id;
    next_tick_time := newest.tick_time;
    next_tick_seq := newest.tick_event_seq;
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
