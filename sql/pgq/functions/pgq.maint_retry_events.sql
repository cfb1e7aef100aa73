-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_retry_events(0)
--
--      Move events whose time has come from the retry queue back into their queues, up to 10 of each queue at a
--      time. Queues that are disabled for insert wait; one that fails for another reason gives a WARNING, and does
--      not hold up the others.
--
-- Parameters:
--      none
-- Returns:
--      number of events moved: call again until it is 0
-- Tables:
--      select: pgq.queue
--      delete: pgq.retry_queue
--      insert: event tables
-- Locks:
--      pgq.retry_queue: SHARE UPDATE EXCLUSIVE, so that two callers do not move the same events
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.maint_retry_events()
returns integer as $$
declare
    q record;
    moved integer := 0;
begin
    lock table pgq.retry_queue in share update exclusive mode;
    for q in
        select qu.queue_id, qu.queue_name, least(10, qu.queue_per_tx_limit) as row_limit
          from pgq.retry_queue r
          join pgq.queue qu on qu.queue_id = r.ev_queue
         where r.ev_retry_after <= current_timestamp
           and (not qu.queue_disable_insert or current_setting('session_replication_role') = 'replica')
           and coalesce(qu.queue_per_tx_limit, 1) > 0
         group by qu.queue_id
         order by min(r.ev_retry_after), qu.queue_name
    loop
        begin
            moved := moved + pgq._retry_events_of(q.queue_id, q.queue_name, q.row_limit);
        exception
            when others then
                raise warning 'pgq.maint_retry_events: queue %: %', q.queue_name, sqlerrm;
        end;
    end loop;
    return moved;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._retry_events_of(3)
--
--      Move events of one queue.
--
-- Parameters:
--      i_queue_id, i_queue_name    - the queue
--      i_limit                     - at most so many
-- Returns:
--      number of events moved
-- ----------------------------------------------------------------------
create or replace function pgq._retry_events_of(i_queue_id integer, i_queue_name text, i_limit integer)
returns integer as $$
declare
    r record;
    moved integer := 0;
begin
    for r in
        select * from pgq.retry_queue
         where ev_queue = i_queue_id and ev_retry_after <= current_timestamp
         order by ev_retry_after, ev_id limit i_limit
    loop
        -- Delayed events have no owner: in this table a negative number stands for that.
        perform pgq.insert_event_raw(i_queue_name, r.ev_id, r.ev_time, case when r.ev_owner > 0 then r.ev_owner end,
                                     r.ev_retry, r.ev_type, r.ev_data, r.ev_extra1, r.ev_extra2, r.ev_extra3,
                                     r.ev_extra4);
        delete from pgq.retry_queue where ev_owner = r.ev_owner and ev_id = r.ev_id;
        moved := moved + 1;
    end loop;
    return moved;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
