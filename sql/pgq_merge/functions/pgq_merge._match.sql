-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_merge._match(3)
--
--      Make the condition that columns of a table are equal to fields of a row.
--
-- Parameters:
--      i_columns   - columns of the table
--      i_row       - the row
--      i_fields    - fields of the row, one for each column
-- Returns:
--      SQL text; 'false' if one of the fields is NULL
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      data_exception - the row does not have a field, or the lists differ in length
-- ----------------------------------------------------------------------
create or replace function pgq_merge._match(i_columns text[], i_row jsonb, i_fields text[])
returns text as $$
declare
    missing text;
begin
    if cardinality(i_columns) <> cardinality(i_fields) or cardinality(i_columns) = 0 then
        raise exception 'column lists do not fit: (%) and (%)',
            array_to_string(i_columns, ','), array_to_string(i_fields, ',') using errcode = 'data_exception';
    end if;
    select field into missing from unnest(i_fields) as field where not i_row ? field limit 1;
    if found then
        raise exception 'no such field in the event: %', missing using errcode = 'data_exception';
    end if;
    return (select case when count(*) filter (where i_row ->> field is null) > 0 then 'false'
                        else string_agg(format('%I = %L', col, i_row ->> field), ' and ') end
              from unnest(i_columns, i_fields) as pair (col, field));
end;
$$ language plpgsql immutable set search_path = pg_catalog, pg_temp;
