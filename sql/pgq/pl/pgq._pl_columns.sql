-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_columns(3)
--
--      Columns of a table, as triggers see them. Those whose values are nowhere stored are not there at all.
--
-- Parameters:
--      i_relid - the table; i_ignored, i_pkey - lists of the options, NULL if not given
-- Returns:
--      a row per column. key_nr: place in the key; magic: number of the field that it replaces;
--      by_text: compared as text
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      undefined_column, invalid_column_definition
-- ----------------------------------------------------------------------
create or replace function pgq._pl_columns(i_relid oid, i_ignored text[], i_pkey text[])
returns table (
    name text, nr integer, type oid, is_ignored boolean, key_nr integer, magic integer, is_generated boolean,
    is_identity boolean, by_text boolean
) as $$
declare
    keys text[] := i_pkey;
    wrong text;
begin
    if keys is null then
        keys := array(
            select a.attname::text
              from pg_index x
             cross join lateral unnest(x.indkey::int2[]) with ordinality as k (attnum, nr)
              join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum
             where x.indrelid = i_relid and x.indisprimary and k.nr <= x.indnkeyatts
             order by k.nr);
    end if;
    return query
    select a.attname::text, a.attnum::integer, a.atttypid, coalesce(a.attname::text = any (i_ignored), false),
           array_position(keys, a.attname::text),
           case when starts_with(a.attname::text, '_pgq_ev_') then pgq._pl_magic(a.attname::text) end,
           a.attgenerated <> '', a.attidentity = 'a',
           i_pkey is not null and a.attname::text = any (keys) and pgq._pl_by_text(a.atttypid)
      from pg_attribute a
     where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v';

    if i_pkey is null then
        return;
    end if;
    select k.name into wrong from unnest(keys) with ordinality as k (name, place)
     where k.name not in (select attname::text from pg_attribute
                           where attrelid = i_relid and attnum > 0 and not attisdropped and attgenerated <> 'v')
     order by k.place limit 1;
    if wrong is not null then
        raise exception 'pkey= of pgq trigger: table "%" has no column "%"',
            (select relname from pg_class where oid = i_relid), wrong using errcode = 'undefined_column';
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_magic(1)
--
--      Number of the field that a magic column replaces.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_magic(i_name text)
returns integer as $$
declare
    field integer := pgq._pl_field(substr(i_name, 6));
begin
    if field is null then
        raise exception 'unknown magic column "%"', i_name using errcode = 'invalid_column_definition',
            hint = 'Names that start with _pgq_ev_ stand for fields of an event: type, data, extra1 to extra4.';
    end if;
    return field;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_by_text(1)
--
--      Are values of a type compared by their text? Arrays are, and types that have no equality.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_by_text(i_type oid)
returns boolean as $$
begin
    return (
        select t.typcategory = 'A' or t.typtype not in ('e', 'r', 'm', 'd') and not exists (
                   select 1 from pg_operator o
                    where o.oprname = '=' and o.oprcanhash and o.oprleft = o.oprright
                      and (o.oprleft = i_type or exists (
                           select 1 from pg_cast c where c.castsource = i_type and c.casttarget = o.oprleft
                              and c.castmethod = 'b' and c.castcontext = 'i')))
          from pg_type t where t.oid = i_type);
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
