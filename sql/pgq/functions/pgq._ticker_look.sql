-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._ticker_look(1)
--
--      Look at queues with the eyes of a ticker that wants to sleep: is there anything to tick, or somebody who
--      may still commit events that are numbered already?
--
--      An event counts as new when it is numbered after the last tick (whether committed or not, the tick will
--      move past it), or when it has committed and the last tick's snapshot does not see it: its transaction was
--      open when the tick was taken. A queue is open while another transaction, a prepared one too, holds
--      ROW EXCLUSIVE on one of its event tables, as every producer does before it gets a number and until it ends.
--      Locks are read first: who has let go of them by then, has committed before the events are looked at.
--
-- Parameters:
--      i_queue_ids     - queues, NULL: all. External and paused ones are left out.
-- Returns:
--      a row per queue, by name. new_events: 0 or less is none, NULL: no tick yet. error: why it cannot be known.
-- Tables:
--      select: pgq.queue, pgq.tick, event tables and sequences, pg_locks
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._ticker_look(i_queue_ids integer[])
returns table (
    queue_id integer, queue_name text, max_count integer, max_lag interval, idle_period interval,
    last_tick_id bigint, last_tick_time timestamptz, new_events bigint, is_open boolean,
    wake_seq regclass, asleep boolean, error text
) as $$
declare
    written oid[];
    s record;
begin
    written := array(
        select distinct i.inhparent
          from pg_locks l
          join pg_inherits i on i.inhrelid = l.relation
         where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
           and l.database = (select d.oid from pg_database d where d.datname = current_database())
           and l.pid is distinct from pg_backend_pid());

    for s in
        select * from pgq._ticker_status(i_queue_ids) as st order by st.queue_name
    loop
        queue_id := s.queue_id;
        queue_name := s.queue_name;
        max_count := s.max_count;
        max_lag := s.max_lag;
        idle_period := s.idle_period;
        last_tick_id := s.last_tick_id;
        last_tick_time := s.last_tick_time;
        new_events := s.event_seq - s.last_tick_seq;
        is_open := coalesce(to_regclass(s.data_pfx)::oid = any (written), false);
        wake_seq := s.wake_seq;
        asleep := s.asleep;
        error := case when s.event_seq is null then 'the event sequence is lost' end;
        if new_events <= 0 then
            begin
                if pgq._unseen_events(s.data_pfx, s.ntables, s.cur_table, s.switch_step2, s.last_snapshot) then
                    new_events := 1;
                end if;
            exception
                when others then
                    error := sqlerrm;
            end;
        end if;
        return next;
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
