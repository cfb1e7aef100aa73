-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.batch_event_sql(1)
--
--      Write the query that reads the events of a batch: those that the tick which ends it sees, and the tick which
--      starts it does not.
--
-- Parameters:
--      x_batch_id  - id of the batch
-- Returns:
--      a select of ten columns; ends in " order by 1", ev_id
-- Tables:
--      select: pgq.subscription, pgq.tick, pgq.queue
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch
-- ----------------------------------------------------------------------
create or replace function pgq.batch_event_sql(x_batch_id bigint)
returns text as $$
declare
    b record;
    last_tick pgq.tick;
    cur_tick pgq.tick;
begin
    select sub_queue, sub_id, sub_last_tick, sub_next_tick into b from pgq.subscription where sub_batch = x_batch_id;
    select * into last_tick from pgq.tick where tick_queue = b.sub_queue and tick_id = b.sub_last_tick;
    select * into cur_tick from pgq.tick where tick_queue = b.sub_queue and tick_id = b.sub_next_tick;
    if last_tick.tick_id is null or cur_tick.tick_id is null then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(x_batch_id::text, 'NULL'));
    end if;
    return pgq._events_sql(
        'ev.ev_id, ev.ev_time, ev.ev_txid, ev.ev_retry, ev.ev_type, ev.ev_data, '
        'ev.ev_extra1, ev.ev_extra2, ev.ev_extra3, ev.ev_extra4', last_tick, cur_tick,
        format('(ev.ev_owner is null or ev.ev_owner = %s)', b.sub_id)) || ' order by 1';
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
