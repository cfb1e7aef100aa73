-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._events_sql(4)
--
--      Write the query that reads the events between two ticks of a queue: those whose transaction is visible in the
--      snapshot of the second, and not in that of the first.
--
--      Such a transaction had either not started at the first tick (its txid is in a range, read by index, with
--      both tests), or was running then and has finished since (a list of txids, which need no test). So an old
--      transaction does not widen the range to all that came after it. Listed txids that lie within 100 of the
--      range just extend it.
--
--      A tick may be one that cuts a batch (pgq._insert_part_ticks): it sees what its snapshot sees, and of what its
--      part snapshot sees the events up to an id. Between two such cuts of one batch, events are read by an index on
--      ev_id where there is one: or each part would read all of a huge transaction.
--
-- Parameters:
--      i_columns       - what to select, from ev
--      i_last, i_cur   - the ticks
--      i_owner_test    - condition on the owner of events
-- Returns:
--      a select, without order
-- Tables:
--      select: pgq.queue
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._events_sql(i_columns text, i_last pgq.tick, i_cur pgq.tick, i_owner_test text)
returns text as $$
declare
    upper_snapshot txid_snapshot := coalesce(i_cur.tick_part_snapshot, i_cur.tick_snapshot);
    finished record;
    table_name text;
    range_start bigint := txid_snapshot_xmax(i_last.tick_snapshot);
    listed bigint[] := '{}';
    head text;
    seen text;
    -- A condition on ev_id alone, where one tick is a cut of the other's batch.
    after_cut text := '';
    until_cut text := '';
    arms text[] := '{}';
begin
    for finished in
        select xid from txid_snapshot_xip(i_last.tick_snapshot) as xid
         where txid_visible_in_snapshot(xid, upper_snapshot)
         order by xid desc
    loop
        if finished.xid >= range_start - 100 then
            range_start := finished.xid;
        else
            listed := finished.xid || listed;
        end if;
    end loop;

    if i_cur.tick_part_snapshot is not null then
        until_cut := format(case when i_cur.tick_snapshot::text = i_last.tick_snapshot::text then ' and ev.ev_id <= %s'
            else ' and (ev.ev_id <= %s or pg_catalog.txid_visible_in_snapshot(ev.ev_txid, %L))' end,
            i_cur.tick_part_end, i_cur.tick_snapshot);
    end if;
    if i_last.tick_part_snapshot is not null then
        after_cut := format(case when i_last.tick_part_snapshot::text = upper_snapshot::text then ' and ev.ev_id > %s'
            else ' and (ev.ev_id > %s or not pg_catalog.txid_visible_in_snapshot(ev.ev_txid, %L))' end,
            i_last.tick_part_end, i_last.tick_part_snapshot);
    end if;
    seen := format('pg_catalog.txid_visible_in_snapshot(ev.ev_txid, %L) '
                   'and not pg_catalog.txid_visible_in_snapshot(ev.ev_txid, %L) and %s%s%s',
                   upper_snapshot, i_last.tick_snapshot, i_owner_test, after_cut, until_cut);

    for table_name in
        select t from pgq._event_tables(i_last, i_cur) as t
    loop
        head := format('select %s from %s ev where ', i_columns, pgq.quote_fqname(table_name));
        if i_last.tick_part_snapshot::text = i_cur.tick_part_snapshot::text
            and to_regclass(pgq.quote_fqname(table_name || '_id_idx')) is not null
        then
            arms := arms || (head || seen);
            continue;
        end if;
        arms := arms || (head || format('ev.ev_txid >= %s and ev.ev_txid <= %s and %s',
                                        range_start, txid_snapshot_xmax(upper_snapshot), seen));
        if listed <> '{}' then
            arms := arms || (head || format('ev.ev_txid in (%s) and %s%s%s', array_to_string(listed, ', '),
                                            i_owner_test, after_cut, until_cut));
        end if;
    end loop;
    return array_to_string(arms, ' union all ');
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
