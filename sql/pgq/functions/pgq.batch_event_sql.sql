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
begin
    select s.sub_queue, s.sub_id, last as last_tick, cur as cur_tick into b
      from pgq.subscription s
      join pgq.tick last on last.tick_queue = s.sub_queue and last.tick_id = s.sub_last_tick
      join pgq.tick cur on cur.tick_queue = s.sub_queue and cur.tick_id = s.sub_next_tick
     where s.sub_batch = x_batch_id;
    if not found then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(x_batch_id::text, 'NULL'));
    end if;
    return pgq._events_sql(
        'ev.ev_id, ev.ev_time, ev.ev_txid, ev.ev_retry, ev.ev_type, ev.ev_data, '
        'ev.ev_extra1, ev.ev_extra2, ev.ev_extra3, ev.ev_extra4', b.last_tick, b.cur_tick,
        format('(ev.ev_owner is null or ev.ev_owner = %s)', b.sub_id)) || ' order by 1';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
