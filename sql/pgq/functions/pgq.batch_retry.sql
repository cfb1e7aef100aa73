-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.batch_retry(2)
--
--      Have all events of an open batch given to the same consumer again, later.
--
-- Parameters:
--      i_batch_id      - id of the batch
--      i_retry_seconds - seconds from now
-- Returns:
--      number of events noted; those noted before do not count
-- Tables:
--      select: pgq.subscription, event tables
--      insert: pgq.retry_queue
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch
-- ----------------------------------------------------------------------
create or replace function pgq.batch_retry(i_batch_id bigint, i_retry_seconds integer)
returns integer as $$
declare
    s record;
    res integer;
begin
    select sub_queue, sub_id into s from pgq.subscription where sub_batch = i_batch_id;
    if not found then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(i_batch_id::text, 'NULL'));
    end if;

    execute format(
        'insert into pgq.retry_queue ('
        '       ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data, ev_extra1, '
        '       ev_extra2, ev_extra3, ev_extra4) '
        'select $1, $2, ev_id, ev_time, $3, coalesce(ev_retry, 0) + 1, ev_type, ev_data, ev_extra1, '
        '       ev_extra2, ev_extra3, ev_extra4 '
        '  from (%s) ev on conflict do nothing', pgq.batch_event_sql(i_batch_id))
      using current_timestamp + make_interval(secs => i_retry_seconds), s.sub_queue, s.sub_id;
    get diagnostics res = row_count;
    return res;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
