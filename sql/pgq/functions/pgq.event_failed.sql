-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.event_failed(3)
--
--      Give up an event of an open batch: it becomes a dead letter of the consumer. Known from PgQ 2; many at once,
--      or with more tries: pgq.fail_events.
--
-- Parameters:
--      x_batch_id      - id of the batch
--      x_event_id      - id of the event
--      x_reason        - why
-- Returns:
--      1 - noted
--      0 - it is noted already
-- Tables:
--      as pgq.fail_events
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch, or the event is not in it
-- ----------------------------------------------------------------------
create or replace function pgq.event_failed(x_batch_id bigint, x_event_id bigint, x_reason text)
returns integer as $$
declare
    s record;
begin
    select * into s from pgq._batch_owner(x_batch_id);
    if exists (select 1 from pgq.failed_queue where ev_owner = s.sub_id and ev_id = x_event_id) then
        return 0;
    end if;
    perform pgq.fail_events(x_batch_id, array[x_event_id], array[x_reason], 1, interval '0', interval '0');
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
