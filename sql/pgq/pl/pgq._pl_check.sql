-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_check(10)
--
--      What a trigger has to know of the table and the change: is a key changed, is anything that
--      counts, how are the fields made?
--
-- Parameters:
--      as pgq._pl_fire, with its options
-- Returns:
--      changed_key - a key column that has changed; only_ignored - nothing else has;
--      unknown_key - one that has no value yet; fields_sql - query for an array of the fields, of rows $1 and $2
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      as pgq._pl_columns
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check(
    i_format text, i_relid oid, i_trigger text, i_when text, i_op text, i_ignored text[], i_pkey text[],
    i_backup boolean, i_row anyelement, i_old anyelement,
    out table_name text, out columns text[], out keys text[], out changed_key text, out only_ignored boolean,
    out unknown_key text, out fields_sql text)
as $$
declare
    c record;
    differs text := 'row(($1).%1$I)::record *<> row(($2).%1$I)::record';
begin
    table_name := pgq._pl_root(i_relid, i_trigger);
    only_ignored := false;
    -- Equal as the type says is the same key; but any change of a value's bytes is a change of data. What is not
    -- computed yet has not changed.
    select array_agg(name order by nr) as names,
           coalesce(array_agg(name order by key_nr) filter (where key_nr is not null), '{}') as keys,
           string_agg(format('case when ' || differs || ' and '
               || case when by_text then 'concat(($1).%1$I) <> concat(($2).%1$I)'
                       else '($1).%1$I is distinct from ($2).%1$I' end || ' then %1$L end', name), ', '
               order by key_nr) filter (where key_nr is not null and not unknown and i_op = 'UPDATE') as key_test,
           string_agg(format(differs, name), ' or ')
               filter (where not is_ignored and not unknown and i_ignored is not null) as change_test,
           string_agg(format(differs, name), ' or ')
               filter (where is_ignored and not unknown) as ignored_test,
           min(name) filter (where key_nr is not null and unknown) as unknown_key,
           jsonb_agg(jsonb_build_object('name', name, 'type', type::bigint, 'key', key_nr is not null,
               'is_data', magic is null and not is_ignored and not unknown,
               'is_set', magic is null and not is_ignored and not is_generated,
               'generated', is_generated, 'identity', is_identity) order by nr) as data,
           jsonb_object_agg(magic, name) filter (where magic is not null) as magic
      into c
      from pgq._pl_columns(i_relid, i_ignored, i_pkey)
     cross join lateral (select is_generated and i_when = 'BEFORE' and i_op <> 'DELETE' as unknown) u;
    columns := c.names;
    keys := c.keys;
    unknown_key := c.unknown_key;
    if i_op = 'UPDATE' and c.key_test is not null then
        execute format('select coalesce(%s, null::text)', c.key_test) into changed_key using i_row, i_old;
    end if;
    if i_op = 'UPDATE' and c.ignored_test is not null then
        execute format('select not coalesce(%s, false) and (%s)', coalesce(c.change_test, 'false'), c.ignored_test)
           into only_ignored using i_row, i_old;
    end if;
    fields_sql := pgq._pl_fields_sql(i_format, i_op, table_name, keys, coalesce(c.data, '[]'), c.magic,
                                     i_backup and i_op = 'UPDATE');
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_root(2)
--
--      Name the table that a trigger was put on: of partitions the partitioned one.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_root(i_relid oid, i_trigger text)
returns text as $$
declare
    root oid := i_relid;
begin
    if (select relispartition from pg_class where oid = i_relid) then
        with recursive up as (
            select t.tgrelid, t.tgparentid, 1 as level
              from pg_trigger t where t.tgrelid = i_relid and t.tgname = i_trigger
             union all
            select t.tgrelid, t.tgparentid, up.level + 1
              from up join pg_trigger t on t.oid = up.tgparentid)
        select tgrelid into root from up order by level desc limit 1;
    end if;
    return (select n.nspname || '.' || c.relname
              from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = root);
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
