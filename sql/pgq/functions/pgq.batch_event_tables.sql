-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.batch_event_tables(1)
--
--      Name the event tables that a batch has to read.
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
begin
    return query
    select t.name
      from pgq.subscription s
      join pgq.tick last on last.tick_queue = s.sub_queue and last.tick_id = s.sub_last_tick
      join pgq.tick cur on cur.tick_queue = s.sub_queue and cur.tick_id = s.sub_next_tick
     cross join lateral pgq._event_tables(last, cur) as t (name)
     where s.sub_batch = x_batch_id;
    if not found then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(x_batch_id::text, 'NULL'));
    end if;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq._event_tables(2)
--
--      Name the event tables that have what is between two ticks. The switch steps of the queue enclose the time in
--      which a producer may have written to either table: what ended before needs only the previous one, what
--      started after only the current one.
--
-- Returns:
--      one or two unquoted names, the previous table first
-- ----------------------------------------------------------------------
create or replace function pgq._event_tables(i_last pgq.tick, i_cur pgq.tick)
returns setof text as $$
declare
    q record;
begin
    select queue_data_pfx, queue_cur_table, queue_ntables, queue_switch_step1, queue_switch_step2 into q
      from pgq.queue where queue_id = i_cur.tick_queue;
    if q.queue_switch_step2 is null or txid_snapshot_xmin(i_last.tick_snapshot) <= q.queue_switch_step2 then
        return next q.queue_data_pfx || '_' || (q.queue_cur_table + q.queue_ntables - 1) % q.queue_ntables;
    end if;
    if txid_snapshot_xmax(coalesce(i_cur.tick_part_snapshot, i_cur.tick_snapshot)) >= q.queue_switch_step1 then
        return next q.queue_data_pfx || '_' || q.queue_cur_table;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
