-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.ticker_sleep(1)
--
--      Tell producers that the ticker sleeps: from now on who commits events sends NOTIFY pgq_wakeup, payload the
--      id of the queue. The ticker must LISTEN already, and call this in READ COMMITTED.
--
--      No event is missed: a producer locks the event table, gets a number, and looks at the flag before it
--      commits. Here the flag is set first (sequences are seen at once, outside transactions), then locks, numbers
--      and events are looked at. So one of the two sees the other.
--
-- Parameters:
--      i_queue_ids     - queues, NULL: all. External and paused ones are left out.
-- Returns:
--      ids of the queues that have events or an open producer: the ticker is awake for these, and has to go on
-- Tables:
--      select: pgq.queue, pgq.tick, event tables and sequences, pg_locks
--      update: wake sequences
-- Locks:
--      none
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.ticker_sleep(i_queue_ids integer[])
returns setof integer as $$
declare
    s record;
begin
    perform setval(st.wake_seq, 2)
       from pgq._ticker_status(i_queue_ids) st where st.wake_seq is not null and not st.asleep;

    for s in
        select * from pgq._ticker_look(i_queue_ids)
    loop
        -- A queue that is broken has nothing to wait for: it is looked at again by the clock.
        if s.error is null and (s.wake_seq is null or s.is_open or coalesce(s.new_events > 0, true)) then
            if s.wake_seq is not null then
                perform setval(s.wake_seq, 1);
            end if;
            return next s.queue_id;
        end if;
    end loop;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
