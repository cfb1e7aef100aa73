-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_merge._is_newer(4)
--
--      Make the condition that an event is newer than a row of the table: times are compared as what they are, not
--      as text. A row without time is older than any event; an event without time is older than any row. A delete
--      is also applied to the very version of the row that was deleted, which has the same time.
--
-- Parameters:
--      i_table     - the table, quoted
--      i_column    - its column with the time
--      i_time      - time of the event
--      i_delete    - the event is a delete
-- Returns:
--      SQL text
-- Tables:
--      select: pg_attribute
-- Locks:
--      none
-- Raises:
--      undefined_table, undefined_column - no such table or column
--      invalid_datetime_format - the event's time is none
-- ----------------------------------------------------------------------
create or replace function pgq_merge._is_newer(i_table text, i_column text, i_time text, i_delete boolean)
returns text as $$
declare
    the_type regtype;
begin
    select atttypid into the_type
      from pg_attribute where attrelid = i_table::regclass and attname = i_column and not attisdropped;
    if not found then
        raise exception 'no column % in table %', i_column, i_table using errcode = 'undefined_column';
    end if;
    if the_type not in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) then
        the_type := 'timestamptz'::regtype;
    end if;
    perform i_time::timestamptz;
    return format('coalesce(%1$L::%2$s %3$s %4$I::%2$s, %4$I is null)', i_time, the_type,
                  case when i_delete then '>=' else '>' end, i_column);
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
