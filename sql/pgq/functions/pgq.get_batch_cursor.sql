-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.get_batch_cursor(4)
--
--      Open a cursor over the events of a batch, and give the first of them. The client goes on with FETCH, and
--      CLOSE, in the same transaction. search_path is the caller's, for what is in i_extra_where; all runs with the
--      rights of the caller.
--
-- Parameters:
--      i_batch_id      - id of the batch
--      i_cursor_name   - name of the cursor
--      i_quick_limit   - events to give at once, 0: none
--      i_extra_where   - SQL condition over the ten columns, NULL or '': none
-- Returns:
--      events by ev_id; none, and no cursor, if one of the first three is NULL
-- Tables:
--      select: event tables
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch
--      duplicate_cursor - such a cursor is open
-- ----------------------------------------------------------------------
create or replace function pgq.get_batch_cursor(
    i_batch_id bigint, i_cursor_name text, i_quick_limit integer, i_extra_where text,
    out ev_id bigint, out ev_time timestamptz, out ev_txid bigint, out ev_retry integer, out ev_type text,
    out ev_data text, out ev_extra1 text, out ev_extra2 text, out ev_extra3 text, out ev_extra4 text)
returns setof record as $$
declare
    batch_sql text;
    cursor_name text := pg_catalog.quote_ident(i_cursor_name);
begin
    if i_batch_id is null or i_cursor_name is null or i_quick_limit is null then
        return;
    end if;

    batch_sql := pgq.batch_event_sql(i_batch_id);
    if i_extra_where operator(pg_catalog.<>) '' then
        -- The order goes to the outside; the line break ends a comment at the end of the condition.
        batch_sql := pg_catalog.regexp_replace(batch_sql, ' order by 1$', '');
        batch_sql := pg_catalog.concat('select * from (', batch_sql, ') ev where (', i_extra_where, E'\n) order by 1');
    end if;
    execute pg_catalog.concat('declare ', cursor_name, ' no scroll cursor for ', batch_sql);
    if i_quick_limit operator(pg_catalog.>) 0 then
        return query execute pg_catalog.concat('fetch forward ', i_quick_limit, ' from ', cursor_name);
    end if;
end;
$$ language plpgsql;

-- ----------------------------------------------------------------------
-- Function: pgq.get_batch_cursor(3)
--
--      The same without a condition.
-- ----------------------------------------------------------------------
create or replace function pgq.get_batch_cursor(
    i_batch_id bigint, i_cursor_name text, i_quick_limit integer,
    out ev_id bigint, out ev_time timestamptz, out ev_txid bigint, out ev_retry integer, out ev_type text,
    out ev_data text, out ev_extra1 text, out ev_extra2 text, out ev_extra3 text, out ev_extra4 text)
returns setof record as $$
begin
    return query select * from pgq.get_batch_cursor(i_batch_id, i_cursor_name, i_quick_limit, null::text);
end;
$$ language plpgsql strict;
