-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.batch_event_tables(1)
--
--      Name the event tables that a batch has to read. The switch steps of the queue enclose the time in which a
--      producer may have written to either table: a batch that ended before needs only the previous one, one that
--      started after only the current one.
--
-- Parameters:
--      x_batch_id  - id of the batch
-- Returns:
--      one or two unquoted names, the previous table first
-- Tables:
--      select: pgq.subscription, pgq.queue, pgq.tick
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch
-- ----------------------------------------------------------------------
create or replace function pgq.batch_event_tables(x_batch_id bigint)
returns setof text as $$
declare
    b record;
begin
    select q.queue_data_pfx, q.queue_cur_table, q.queue_ntables, q.queue_switch_step1, q.queue_switch_step2,
           txid_snapshot_xmin(last.tick_snapshot) as last_xmin, txid_snapshot_xmax(cur.tick_snapshot) as cur_xmax
      into b
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.tick last on last.tick_queue = s.sub_queue and last.tick_id = s.sub_last_tick
      join pgq.tick cur on cur.tick_queue = s.sub_queue and cur.tick_id = s.sub_next_tick
     where s.sub_batch = x_batch_id;
    if not found then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(x_batch_id::text, 'NULL'));
    end if;

    if b.queue_switch_step2 is null or b.last_xmin <= b.queue_switch_step2 then
        return next b.queue_data_pfx || '_' || (b.queue_cur_table + b.queue_ntables - 1) % b.queue_ntables;
    end if;
    if b.cur_xmax >= b.queue_switch_step1 then
        return next b.queue_data_pfx || '_' || b.queue_cur_table;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
