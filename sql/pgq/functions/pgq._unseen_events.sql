-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._unseen_events(5)
--
--      Has an event been committed that the given snapshot does not see? Looks by index at the transactions that
--      have finished since, never at those still running: a huge one that is open costs nothing.
--
-- Parameters:
--      i_data_pfx, i_ntables, i_cur_table, i_switch_step2 - as in pgq.queue
--      i_snapshot      - snapshot of the last tick
-- Returns:
--      true or false
-- Tables:
--      select: the current event table, and the previous one while the snapshot may need it
-- Locks:
--      none
-- Raises:
--      undefined_table - the event table is lost
-- ----------------------------------------------------------------------
create or replace function pgq._unseen_events(
    i_data_pfx text, i_ntables integer, i_cur_table integer, i_switch_step2 bigint, i_snapshot txid_snapshot)
returns boolean as $$
declare
    current_snapshot txid_snapshot := txid_current_snapshot();
    -- Ends of the gaps between running transactions, from the first one that was unknown to the snapshot.
    bounds bigint[];
    finished bigint[];
    arms text[] := '{}';
    table_nr integer := i_cur_table;
    found_one boolean;
begin
    bounds := array(
        select txid_snapshot_xmax(i_snapshot) - 1
         union all
        select xid from txid_snapshot_xip(current_snapshot) as xid where xid >= txid_snapshot_xmax(i_snapshot)
         union all
        select txid_snapshot_xmax(current_snapshot)
         order by 1);
    finished := array(
        select xid from txid_snapshot_xip(i_snapshot) as xid where txid_visible_in_snapshot(xid, current_snapshot));

    if finished <> '{}' then
        arms := arms || 'exists (select 1 from %1$s where ev_txid = any ($1))'::text;
    end if;
    if cardinality(bounds) > 2 then
        arms := arms || ('exists (select 1 from generate_subscripts($2, 1) as i where exists ('
                         'select 1 from %1$s where ev_txid > $2[i] and ev_txid < $2[i + 1]))')::text;
    elsif bounds[1] + 1 < bounds[2] then
        arms := arms || 'exists (select 1 from %1$s where ev_txid > $2[1] and ev_txid < $2[2])'::text;
    end if;
    if arms = '{}' then
        return false;
    end if;

    loop
        execute format('select ' || array_to_string(arms, ' or '),
                       pgq.quote_fqname(i_data_pfx || '_' || table_nr))
           into found_one using finished, bounds;
        exit when found_one or table_nr <> i_cur_table
            or txid_snapshot_xmin(i_snapshot) > i_switch_step2;
        table_nr := (i_cur_table + i_ntables - 1) % i_ntables;
        exit when table_nr = i_cur_table;
    end loop;
    return found_one;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    -- Event tables have no statistics; the answer lies at the end of an index.
    set enable_seqscan = off set enable_bitmapscan = off;
