-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.get_batch_events(1)
--
--      Give all events of a batch.
--
-- Parameters:
--      x_batch_id  - id of the batch
-- Returns:
--      events by ev_id
-- Tables:
--      select: event tables, with the rights of the caller
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch
-- ----------------------------------------------------------------------
create or replace function pgq.get_batch_events(
    x_batch_id bigint,
    out ev_id bigint, out ev_time timestamptz, out ev_txid bigint, out ev_retry integer, out ev_type text,
    out ev_data text, out ev_extra1 text, out ev_extra2 text, out ev_extra3 text, out ev_extra4 text)
returns setof record as $$
begin
    return query execute pgq.batch_event_sql(x_batch_id);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
