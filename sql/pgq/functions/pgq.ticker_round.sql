-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.ticker_round(1)
--
--      Tick each queue for which it is due, and say of each when to look again. A queue that cannot be ticked does
--      not hold up the others. Differs from pgq.ticker() for a queue without new events: as events that commit late
--      are found by looking (pgq._ticker_look), nothing is ticked until idle_period has passed.
--
--      States: ticked; waiting (new events, not due yet); open (none new, but another transaction may still commit
--      some: stay awake); idle; busy (another ticker has the queue); error.
--
-- Parameters:
--      i_queue_ids     - queues, NULL: all. External and paused ones are left out.
-- Returns:
--      a row per queue, by name. next_check: when to look again if nothing wakes the ticker.
-- Tables:
--      select: pgq.queue, pgq.tick, event tables and sequences, pg_locks
--      insert: pgq.tick
-- Locks:
--      ticker locks of the queues that are due, without waiting, to the end of the transaction
-- Raises:
--      nothing: see column error
-- ----------------------------------------------------------------------
create or replace function pgq.ticker_round(
    i_queue_ids integer[], out queue_id integer, out queue_name text, out tick_id bigint, out state text,
    out next_check interval, out error text)
returns setof record as $$
declare
    s record;
    lag interval;
begin
    for s in
        select * from pgq._ticker_look(i_queue_ids)
    loop
        queue_id := s.queue_id;
        queue_name := s.queue_name;
        tick_id := null;
        next_check := s.max_lag;
        error := s.error;
        lag := now() - s.last_tick_time;

        if error is not null then
            state := 'error';
            next_check := s.idle_period;
        elsif lag < s.max_lag and s.new_events between 1 and s.max_count - 1 then
            state := 'waiting';
            next_check := s.max_lag - lag;
        elsif lag is null or s.new_events > 0 or lag >= s.idle_period then
            begin
                state := 'busy';
                if pg_try_advisory_xact_lock('pgq.queue'::regclass::integer, s.queue_id) then
                    tick_id := pgq._insert_tick(s.queue_id, s.last_tick_id);
                    state := case when tick_id is null then 'busy' else 'ticked' end;
                end if;
            exception
                when others then
                    state := 'error';
                    next_check := s.idle_period;
                    error := sqlerrm;
            end;
        elsif s.is_open then
            state := 'open';
        else
            state := 'idle';
            next_check := s.idle_period - lag;
        end if;
        return next;
    end loop;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
