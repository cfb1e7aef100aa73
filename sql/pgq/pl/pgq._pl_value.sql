-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_value(3)
--
--      Evaluate an SQL expression of a trigger's argument. No search_path is pinned: the expression
--      means what it means to the caller.
--
-- Parameters:
--      i_source - as given; i_columns - names of columns; i_row - values of these
-- Returns:
--      value - as text by its type; type - its type
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      cardinality_violation - not one value
-- ----------------------------------------------------------------------
create or replace function pgq._pl_value(
    i_source text, i_columns text[], i_row anyelement, out value text, out type regtype)
as $$
declare
    expr text := pgq._pl_bind(i_source, i_columns);
    count integer := 0;
    first text;
    second text;
    nulls integer;
begin
    for first, second in execute pg_catalog.concat('select ', expr) using i_row loop
        count := count + 1;
    end loop;
    if count <> 1 or second is not null then
        raise exception 'expression of pgq trigger must yield one value: "%"', i_source
            using errcode = 'cardinality_violation';
    end if;
    execute pg_catalog.concat(
        'select pg_catalog.concat(x.v), pg_catalog.num_nulls(x.v), pg_catalog.pg_typeof(x.v) from (select ', expr,
        e'\n) as x (v)')
       into value, nulls, type using i_row;
    if nulls = 1 then
        value := null;
    end if;
end;
$$ language plpgsql stable;
