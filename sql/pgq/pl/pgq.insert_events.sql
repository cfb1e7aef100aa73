-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_events(7)
--
--      Engine without C: see functions/. One INSERT; pgq.insert_event(7) is not called for each.
--
-- Parameters:
--      see functions/
-- Returns:
--      number of events
-- Tables:
--      insert: the current event table of the queue
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      as pgq.insert_event; array_subscript_error - arrays of different lengths, or of more than one dimension
-- ----------------------------------------------------------------------
create or replace function pgq.insert_events(
    i_queue_name text, i_types text[], i_datas text[], i_extra1 text[] default null, i_extra2 text[] default null,
    i_extra3 text[] default null, i_extra4 text[] default null)
returns bigint as $$
declare
    q record;
    total integer;
begin
    if i_queue_name is null then
        perform pgq._pl_no_queue(i_queue_name);
    end if;
    total := pgq._pl_check_arrays(i_types, i_datas, i_extra1, i_extra2, i_extra3, i_extra4);
    if total = 0 then
        return 0;
    end if;
    if current_setting('transaction_read_only') = 'on' then
        raise exception 'cannot execute pgq.insert_event() in a read-only transaction'
            using errcode = 'read_only_sql_transaction';
    end if;
    q := pgq._pl_open_queue(i_queue_name);
    perform pgq._pl_check_enabled(q.queue_id, i_queue_name, q.disabled, q.tx_limit, total);
    execute format('insert into %s (ev_id, ev_time, ev_txid, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, '
                   'ev_extra4) select nextval($1), now(), $2, e.* '
                   'from unnest($3, $4, $5, $6, $7, $8) as e (a, b, c, d, e, f)', q.table_name)
      using q.event_seq, txid_current(), i_types, i_datas, i_extra1, i_extra2, i_extra3, i_extra4;
    return total;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_check_arrays(6)
--
--      Say how many events the arrays of pgq.insert_events have, or raise an error.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check_arrays(
    i_types text[], i_datas text[], i_extra1 text[], i_extra2 text[], i_extra3 text[], i_extra4 text[])
returns integer as $$
declare
    names text[] := array['i_types', 'i_datas', 'i_extra1', 'i_extra2', 'i_extra3', 'i_extra4'];
    counts integer[] := array[cardinality(i_types), cardinality(i_datas), cardinality(i_extra1),
                              cardinality(i_extra2), cardinality(i_extra3), cardinality(i_extra4)];
    dims integer[] := array[array_ndims(i_types), array_ndims(i_datas), array_ndims(i_extra1),
                            array_ndims(i_extra2), array_ndims(i_extra3), array_ndims(i_extra4)];
    first integer;
begin
    for i in 1 .. 6 loop
        if dims[i] > 1 then
            raise exception '% of pgq.insert_events must have one dimension, not %', names[i], dims[i]
                using errcode = 'array_subscript_error';
        elsif counts[i] is null then
            continue;
        elsif first is null then
            first := i;
        elsif counts[i] <> counts[first] then
            raise exception 'arrays of pgq.insert_events differ in length: % has %, % has %', names[first],
                counts[first], names[i], counts[i] using errcode = 'array_subscript_error';
        end if;
    end loop;
    return coalesce(counts[first], 0);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
