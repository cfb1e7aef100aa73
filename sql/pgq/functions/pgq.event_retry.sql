-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.event_retry(3), with a time
--
--      Have an event of an open batch given to the same consumer again, later.
--
-- Parameters:
--      x_batch_id      - id of the batch
--      x_event_id      - id of the event
--      x_retry_time    - when
-- Returns:
--      1 - noted
--      0 - it is noted already
-- Tables:
--      select: pgq.subscription, event tables
--      insert: pgq.retry_queue
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch, or the event is not in it
-- ----------------------------------------------------------------------
create or replace function pgq.event_retry(x_batch_id bigint, x_event_id bigint, x_retry_time timestamptz)
returns integer as $$
declare
    ev record;
    res integer;
begin
    if exists (select 1 from pgq.subscription where sub_batch = x_batch_id) then
        execute format('select * from (%s) ev where ev_id = $1', pgq.batch_event_sql(x_batch_id))
           into ev using x_event_id;
    end if;
    if ev is null then
        raise exception 'event not found' using errcode = 'undefined_object',
            detail = format('Batch: %s, event: %s.',
                            coalesce(x_batch_id::text, 'NULL'), coalesce(x_event_id::text, 'NULL'));
    end if;

    insert into pgq.retry_queue (
           ev_retry_after, ev_queue, ev_id, ev_time, ev_txid, ev_owner, ev_retry, ev_type, ev_data, ev_extra1,
           ev_extra2, ev_extra3, ev_extra4)
    select x_retry_time, s.sub_queue, ev.ev_id, ev.ev_time, null, s.sub_id, coalesce(ev.ev_retry, 0) + 1,
           ev.ev_type, ev.ev_data, ev.ev_extra1, ev.ev_extra2, ev.ev_extra3, ev.ev_extra4
      from pgq.subscription s
     where s.sub_batch = x_batch_id
        on conflict do nothing;
    get diagnostics res = row_count;
    return res;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.event_retry(3), with seconds
--
--      The same, so many seconds from now.
-- ----------------------------------------------------------------------
create or replace function pgq.event_retry(x_batch_id bigint, x_event_id bigint, x_retry_seconds integer)
returns integer as $$
begin
    return pgq.event_retry(x_batch_id, x_event_id, current_timestamp + make_interval(secs => x_retry_seconds));
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
