-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.batch_event_sql(1)
--
--      Write the query that reads the events of a batch: those whose transaction is visible in the snapshot of the
--      tick that ends it, and not in that of the tick that starts it.
--
--      Such a transaction had either not started at the first tick (its txid is in a range, read by index, with
--      both tests), or was running then and has finished since (a list of txids, which need no test). So an old
--      transaction does not widen the range to all that came after it. Listed txids that lie within 100 of the
--      range just extend it.
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
    finished record;
    table_name text;
    range_start bigint;
    listed bigint[] := '{}';
    head text;
    owner_test text;
    arms text[] := '{}';
begin
    select s.sub_id, last.tick_snapshot as last_snapshot, cur.tick_snapshot as cur_snapshot
      into b
      from pgq.subscription s
      join pgq.tick last on last.tick_queue = s.sub_queue and last.tick_id = s.sub_last_tick
      join pgq.tick cur on cur.tick_queue = s.sub_queue and cur.tick_id = s.sub_next_tick
     where s.sub_batch = x_batch_id;
    if not found then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(x_batch_id::text, 'NULL'));
    end if;

    range_start := txid_snapshot_xmax(b.last_snapshot);
    for finished in
        select xid from txid_snapshot_xip(b.last_snapshot) as xid
         where txid_visible_in_snapshot(xid, b.cur_snapshot)
         order by xid desc
    loop
        if finished.xid >= range_start - 100 then
            range_start := finished.xid;
        else
            listed := finished.xid || listed;
        end if;
    end loop;

    owner_test := format('(ev.ev_owner is null or ev.ev_owner = %s)', b.sub_id);
    for table_name in
        select pgq.quote_fqname(t) from pgq.batch_event_tables(x_batch_id) as t
    loop
        head := 'select ev.ev_id, ev.ev_time, ev.ev_txid, ev.ev_retry, ev.ev_type, ev.ev_data, '
             || 'ev.ev_extra1, ev.ev_extra2, ev.ev_extra3, ev.ev_extra4 from ' || table_name || ' ev where ';
        arms := arms || (head || format(
            'ev.ev_txid >= %s and ev.ev_txid <= %s and pg_catalog.txid_visible_in_snapshot(ev.ev_txid, %L) '
            'and not pg_catalog.txid_visible_in_snapshot(ev.ev_txid, %L) and %s',
            range_start, txid_snapshot_xmax(b.cur_snapshot), b.cur_snapshot, b.last_snapshot, owner_test));
        if listed <> '{}' then
            arms := arms || (head || format('ev.ev_txid in (%s) and %s', array_to_string(listed, ', '), owner_test));
        end if;
    end loop;
    return array_to_string(arms, ' union all ') || ' order by 1';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
