-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: public.merge_on_time(12)
--
--      Apply a row event to a table that several sources write, if it is newer than the row that is there: the
--      function for applyfn of Londiste. What is deleted leaves no trace, so an older insert that comes after that
--      brings it back.
--
-- Parameters:
--      fconf       - urlencoded: timefield=COL (required); altpk=c1,c2: another unique key, rows that have it are
--                    replaced; fkey_ref_table, fkey_cols, fkey_ref_cols: ignore rows without parent
--      cur_tick, ev_id, ev_time, ev_txid, ev_retry - not used
--      ev_type     - I, U or D, colon, columns of the primary key
--      ev_data     - the row, urlencoded
--      ev_extra1   - the table
--      ev_extra2, ev_extra3, ev_extra4 - not used
-- Returns:
--      what was done, for the log; begins with IGN: if nothing
-- Tables:
--      select, insert, update, delete: that table; select: fkey_ref_table
-- Locks:
--      the rows with the same key: FOR UPDATE
-- Raises:
--      data_exception - bad configuration or event
--      as pgq_merge._is_newer, pgq_merge._write_row
-- ----------------------------------------------------------------------
create or replace function public.merge_on_time(
    fconf text, cur_tick text, ev_id text, ev_time text, ev_txid text, ev_retry text, ev_type text, ev_data text,
    ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns text as $$
declare
    conf jsonb := pgq_merge._urldecode_row(fconf);
    new_row jsonb := pgq_merge._urldecode_row(ev_data);
    the_table text := pgq_merge._table(ev_extra1);
    keys text[] := pgq_merge._columns(substr(ev_type, 3));
    altkeys text[] := pgq_merge._columns(conf ->> 'altpk');
    key_match text;
    alt_match text := 'false';
    old record;
    res text := 'data ok';
begin
    if ev_type !~ '^[IUD]:.' or the_table is null or new_row is null or not coalesce(conf, '{}') ? 'timefield'
       or not new_row ? (conf ->> 'timefield')
    then
        raise exception 'merge_on_time: timefield, table, operation, key or time is missing'
            using errcode = 'data_exception',
            detail = format('Configuration: %s, event: %s, table: %s.', fconf, ev_type, ev_extra1);
    end if;
    key_match := pgq_merge._match(keys, new_row, keys);
    if not pgq_merge._parent_exists(conf, new_row) then
        return 'IGN: parent row does not exist';
    end if;
    res := res || case when conf ->> 'fkey_ref_table' is not null then ', fkey ok' else '' end;
    if altkeys <> '{}' then
        alt_match := pgq_merge._match(altkeys, new_row, altkeys);
    end if;

    execute format('select count(*) as found, count(*) filter (where %2$s) as same_key, '
                   '       coalesce(bool_and(%4$s), true) as newer '
                   '  from (select * from %1$s where (%2$s) or (%3$s) for update) as t',
                   the_table, key_match, alt_match,
                   pgq_merge._is_newer(the_table, conf ->> 'timefield', new_row ->> (conf ->> 'timefield'),
                                       ev_type ~ '^D'))
       into old;
    if not old.newer then
        return 'IGN:' || res || ', old row, current row more up-to-date';
    end if;
    if altkeys <> '{}' then
        res := res || case when old.found > old.same_key then ', altpk del' else ', altpk ok' end;
        execute format('delete from %s where (%s) and not (%s)', the_table, alt_match, key_match);
    end if;
    if ev_type ~ '^D' then
        execute format('delete from %s where %s', the_table, key_match);
    else
        perform pgq_merge._write_row(the_table, new_row, case when old.same_key > 0 then key_match end);
    end if;
    return res || case when old.found > 0 then ', old row, new row better' else ', no old row' end;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
