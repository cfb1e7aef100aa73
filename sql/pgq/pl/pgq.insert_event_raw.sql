-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_event_raw(11)
--
--      Engine without C: see functions/. Dynamic SQL, as the table changes.
--
-- Parameters:
--      see functions/
-- Returns:
--      the event's id
-- Tables:
--      insert: the current event table of the queue, with the rights of the caller
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      as pgq._pl_open_queue and pgq._pl_check_enabled
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event_raw(
    queue_name text, ev_id bigint, ev_time timestamptz, ev_owner integer, ev_retry integer, ev_type text,
    ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns bigint as $$
declare
    q record;
    res bigint;
begin
    if current_setting('transaction_read_only') = 'on' then
        raise exception 'cannot execute pgq.insert_event() in a read-only transaction'
            using errcode = 'read_only_sql_transaction';
    end if;
    q := pgq._pl_open_queue($1);
    -- The sequence moves on also when an id is given, or the event is refused.
    res := nextval(q.event_seq);
    res := coalesce($2, res);
    if q.disabled or q.tx_limit is not null then
        perform pgq._pl_check_enabled(q.queue_id, $1, q.disabled, q.tx_limit, 1);
    end if;
    execute 'insert into ' || q.table_name || ' (ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data, ev_extra1, '
        'ev_extra2, ev_extra3, ev_extra4) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
      using res, coalesce($3, now()), $4, $5, $6, $7, $8, $9, $10, $11;
    return res;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
