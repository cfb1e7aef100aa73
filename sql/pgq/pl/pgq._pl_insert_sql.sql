-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_insert_sql(1)
--
--      Write the SQL that makes partial SQL of an INSERT: columns and values.
--
-- Parameters:
--      i_columns   - as pgq._pl_check makes them
-- Returns:
--      the SQL, of the row $1
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._pl_insert_sql(i_columns jsonb)
returns text as $$
begin
    return (
        select pg_catalog.format('pg_catalog.concat(%L, %s, '')'')',
                   pg_catalog.format('(%s)%s values (',
                       pg_catalog.string_agg(pg_catalog.quote_ident(c ->> 'name'), ',' order by nr),
                       case when pg_catalog.bool_or((c ->> 'identity')::boolean) then ' overriding system value'
                           else '' end),
                   pgq._pl_list_sql(pg_catalog.array_agg(pg_catalog.format(
                       'coalesce(pg_catalog.quote_literal(%s), ''null'')', pgq._pl_text_sql('$1', c ->> 'name'))
                       order by nr), ','))
          from pg_catalog.jsonb_array_elements(i_columns) with ordinality as t (c, nr)
         where (c ->> 'is_set')::boolean);
end;
$$ language plpgsql stable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_update_sql(2)
--
--      The same of an UPDATE: assignments of what has changed, and condition. One that changes nothing
--      sets a column
--      to itself: of the key if it can be set.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_update_sql(i_columns jsonb, i_table text)
returns text as $$
begin
    return (
        with cols as (
            select c ->> 'name' as name, (c ->> 'is_set')::boolean as is_set, (c ->> 'key')::boolean as is_key, nr,
                   (c ->> 'is_data')::boolean as is_data,
                   not (c ->> 'generated')::boolean and not (c ->> 'identity')::boolean as settable,
                   pg_catalog.format('pg_catalog.concat(%L, coalesce(pg_catalog.quote_literal(%s), ''NULL''))',
                       pg_catalog.quote_ident(c ->> 'name') || '=', pgq._pl_text_sql('$1', c ->> 'name')) as assignment
              from pg_catalog.jsonb_array_elements(i_columns) with ordinality as t (c, nr))
        select pg_catalog.format('pg_catalog.concat(coalesce(nullif(%s, ''''), %s), '' where '', %s)',
                   pgq._pl_list_sql(coalesce(pg_catalog.array_agg(pg_catalog.format(
                       'case when row(($1).%1$I)::pg_catalog.record operator(pg_catalog.*<>) '
                       'row(($2).%1$I)::pg_catalog.record '
                       'then %2$s end', name, assignment) order by nr) filter (where is_set), '{}'), ','),
                   (select assignment from cols where is_key or (is_data and settable)
                     order by is_key and settable desc, settable desc, nr limit 1),
                   pgq._pl_where_sql(i_columns, i_table))
          from cols);
end;
$$ language plpgsql stable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_where_sql(2)
--
--      The same of the condition that finds a row by its key.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_where_sql(i_columns jsonb, i_table text)
returns text as $$
begin
    return (
        select pgq._pl_list_sql(pg_catalog.array_agg(pg_catalog.format('pg_catalog.concat(%L, pgq._pl_key(%s, %L, %L))',
                   pg_catalog.quote_ident(c ->> 'name') || '=', pgq._pl_text_sql('$1', c ->> 'name'), i_table,
                   c ->> 'name')
                   order by nr), ' and ')
          from pg_catalog.jsonb_array_elements(i_columns) with ordinality as t (c, nr)
         where (c ->> 'key')::boolean);
end;
$$ language plpgsql stable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_key(3)
--
--      Quote a key value, which must not be NULL.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_key(i_value text, i_table text, i_column text)
returns text as $$
begin
    if i_value is null then
        raise exception 'Unexpected NULL key value' using errcode = 'null_value_not_allowed',
            detail = format('Table "%s", column "%s".', i_table, i_column);
    end if;
    return quote_literal(i_value);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
