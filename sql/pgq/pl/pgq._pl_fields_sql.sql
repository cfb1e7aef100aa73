-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_fields_sql(7)
--
--      Write the query that makes the six fields of an event out of the rows $1 and $2. Its names are
--      qualified, as it
--      runs with the caller's search_path.
--
-- Parameters:
--      i_format, i_op, i_table, i_keys - the event
--      i_columns   - as pgq._pl_check makes them
--      i_magic     - names of columns by number of the field that they replace
--      i_backup    - the old row is wanted
-- Returns:
--      the query, of one text[]
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._pl_fields_sql(
    i_format text, i_op text, i_table text, i_keys text[], i_columns jsonb, i_magic jsonb, i_backup boolean)
returns text as $$
declare
    fields text[];
begin
    fields := array[
        quote_literal(pgq._pl_type(i_format, i_op, i_table, i_keys)),
        case when i_op = 'TRUNCATE' then quote_literal(case i_format when 'json' then '{}' else '' end)
             when i_format = 'url' then pgq._pl_url_sql(i_columns, '$1')
             when i_format = 'json' then pgq._pl_json_sql(i_columns, '$1')
             when i_op = 'INSERT' then pgq._pl_insert_sql(i_columns)
             when i_op = 'UPDATE' then pgq._pl_update_sql(i_columns, i_table)
             else pgq._pl_where_sql(i_columns, i_table) end,
        quote_literal(i_table),
        case when not i_backup then 'null'
             when i_format = 'json' then pgq._pl_json_sql(i_columns, '$2')
             else pgq._pl_url_sql(i_columns, '$2') end,
        'null', 'null'];
    if i_magic is not null and i_op <> 'TRUNCATE' then
        for i in 1 .. 6 loop
            if i_magic ? i::text then
                fields[i] := pgq._pl_text_sql('$1', i_magic ->> i::text);
            end if;
        end loop;
    end if;
    return 'select array[' || array_to_string(fields, ', ') || ']::pg_catalog.text[]';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_type(4)
--
--      Write the type of the event: operation and key.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_type(i_format text, i_op text, i_table text, i_keys text[])
returns text as $$
begin
    if i_format = 'json' then
        return format('{"op":"%s","table":[%s,%s],"pkey":[%s]}', i_op, to_json(split_part(i_table, '.', 1)),
                      to_json(substr(i_table, strpos(i_table, '.') + 1)),
                      (select string_agg(to_json(k)::text, ',' order by nr)
                         from unnest(i_keys) with ordinality as t (k, nr)));
    elsif i_op = 'TRUNCATE' then
        return 'R';
    end if;
    return substr(i_op, 1, 1) || case i_format when 'url' then ':' || array_to_string(i_keys, ',') else '' end;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_text_sql(2)
--
--      Write the SQL of a value's text by its type, NULL for NULL. A composite of NULLs is a value.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_text_sql(i_row text, i_name text)
returns text as $$
    select pg_catalog.format('case pg_catalog.num_nulls((%1$s).%2$I) when 0 then pg_catalog.concat((%1$s).%2$I) end',
                             i_row, i_name)
$$ language sql immutable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_list_sql(2)
--
--      Write the SQL that joins texts, NULLs left out.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_list_sql(i_parts text[], i_separator text)
returns text as $$
    select pg_catalog.format('pg_catalog.array_to_string(array[%s]::pg_catalog.text[], %L)',
                             pg_catalog.array_to_string(i_parts, ', '), i_separator)
$$ language sql immutable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_url_sql(2)
--
--      Write the SQL of an urlencoded row: name=value joined by &, NULL is the name alone.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_url_sql(i_columns jsonb, i_row text)
returns text as $$
begin
    return (
        select pgq._pl_list_sql(pg_catalog.array_agg(pg_catalog.format(
                   'pg_catalog.concat(%L, ''='' operator(pg_catalog.||) pgq._pl_urlencode(%s))',
                   pgq._pl_urlencode(c ->> 'name'), pgq._pl_text_sql(i_row, c ->> 'name')) order by nr), '&')
          from pg_catalog.jsonb_array_elements(i_columns) with ordinality as t (c, nr)
         where (c ->> 'is_data')::boolean);
end;
$$ language plpgsql stable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_json_sql(2)
--
--      Write the SQL of a row as JSON object: bool, whole numbers and NULL are those of JSON, times are
--      ISO 8601, the
--      rest are strings of their text.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_json_sql(i_columns jsonb, i_row text)
returns text as $$
begin
    return (
        select pg_catalog.format('pg_catalog.concat(''{'', %s, ''}'')', pgq._pl_list_sql(pg_catalog.array_agg(
                   pg_catalog.format('pg_catalog.concat(%L, coalesce(%s, ''null''))',
                   pg_catalog.to_json(c ->> 'name')::text || ':',
                   case when (c ->> 'type')::oid = any ('{bool,int2,int4,int8,date,timestamp,timestamptz}'::regtype[])
                       then pg_catalog.format('pg_catalog.to_json((%s).%I)::pg_catalog.text', i_row, c ->> 'name')
                       else pg_catalog.format('pg_catalog.to_json(%s)::pg_catalog.text',
                                              pgq._pl_text_sql(i_row, c ->> 'name')) end) order by nr), ','))
          from pg_catalog.jsonb_array_elements(i_columns) with ordinality as t (c, nr)
         where (c ->> 'is_data')::boolean);
end;
$$ language plpgsql stable;
