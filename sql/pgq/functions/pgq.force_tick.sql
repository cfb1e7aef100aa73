-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.force_tick(1)
--
--      Make the next call of the ticker tick, by letting the event sequence jump. A sleeping ticker is woken.
--      Callers poll until the result changes.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      id of the current last tick, NULL if there is none, or no such queue
-- Tables:
--      select: pgq.queue, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.force_tick(i_queue_name text)
returns bigint as $$
declare
    q record;
begin
    select queue_id, queue_event_seq, queue_ticker_max_count * 2::bigint + 1000 as jump,
           not queue_external_ticker and not queue_ticker_paused as ticked_here
      into q
      from pgq.queue where queue_name = i_queue_name;
    if not found then
        return null;
    end if;

    if q.ticked_here then
        perform setval(q.queue_event_seq::regclass, nextval(q.queue_event_seq::regclass) + q.jump);
        perform pg_notify('pgq_wakeup', q.queue_id::text);
    end if;
    return (select max(tick_id) from pgq.tick where tick_queue = q.queue_id);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
