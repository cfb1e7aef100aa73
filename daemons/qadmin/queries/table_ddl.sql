-- SPDX-License-Identifier: ISC
-- The statements that make a table, in their order.
with t as (select %(oid)s::oid as oid, %(oid)s::oid::regclass::text as name)
select statement from (
    select 1, 0::bigint, format('create table %%s (%%s)%%s;', t.name, (
               select string_agg(format(E'\n    %%I %%s%%s%%s%%s', a.attname, format_type(a.atttypid, a.atttypmod),
                          case when a.attgenerated <> '' then format(' generated always as (%%s) stored',
                                    pg_get_expr(d.adbin, d.adrelid))
                               when a.attidentity <> '' then format(' generated %%s as identity',
                                    case a.attidentity when 'a' then 'always' else 'by default' end)
                               when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid)
                               else '' end,
                          case when a.attcollation not in (0, (select typcollation from pg_type where oid = a.atttypid))
                               then ' collate ' || (select quote_ident(collname) from pg_collation where oid = a.attcollation)
                               else '' end,
                          case when a.attnotnull then ' not null' else '' end), ',' order by a.attnum) || E'\n'
                 from pg_attribute a
                 left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped),
               coalesce(' partition by ' || pg_get_partkeydef(t.oid), '')) from t
    union all
    select 2, row_number() over (order by c.contype <> 'p', c.conname),
           format('alter table %%s add constraint %%I %%s;', t.name, c.conname, pg_get_constraintdef(c.oid))
      from t join pg_constraint c on c.conrelid = t.oid where c.contype <> 'n'
    union all
    select 3, row_number() over (order by i.indexrelid), pg_get_indexdef(i.indexrelid) || ';'
      from t join pg_index i on i.indrelid = t.oid
     where not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = t.oid)
    union all
    select 4, row_number() over (order by g.tgname), pg_get_triggerdef(g.oid) || ';'
           || case g.tgenabled when 'D' then '  -- disabled' when 'R' then '  -- replica only'
                               when 'A' then '  -- always' else '' end
      from t join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal
    union all
    select 5, 0, format('alter table %%s owner to %%I;', t.name, pg_get_userbyid(c.relowner))
      from t join pg_class c on c.oid = t.oid
) s (part, nr, statement) order by part, nr
