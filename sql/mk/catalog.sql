-- SPDX-License-Identifier: ISC
-- Print what the catalog has of a schema, in a form that two databases can be compared by.
--   psql -At -v schema=NAME [-v extension=1] -f catalog.sql
-- With extension: what belongs to the extension, and what pg_dump saves of it, too.
select 'column', c.relname, row_number() over (partition by c.oid order by a.attnum), a.attname,
       format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relnamespace = :'schema'::regnamespace and c.relkind in ('r', 'S')
 order by 2, 3;
select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  from pg_constraint where connamespace = :'schema'::regnamespace and contype <> 'n' order by 2, 3;
select 'index', indexname, indexdef from pg_indexes where schemaname = :'schema' order by 2;
select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
 where c.relnamespace = :'schema'::regnamespace and not tgisinternal order by 2, 3;
select 'function', p.oid::regprocedure::text, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), l.lanname,
       prosecdef, provolatile, proisstrict, proconfig, md5(prosrc)
  from pg_proc p join pg_language l on l.oid = p.prolang
 where pronamespace = :'schema'::regnamespace order by 2;
select 'grant', what, name, coalesce(nullif(grantee, 0)::regrole::text, 'public'), privilege_type, is_grantable
  from (select 'schema' as what, nspname::text as name, nspacl as acl, nspowner as owner
          from pg_namespace where nspname = :'schema'
         union all
        select 'relation', relname, relacl, relowner from pg_class where relnamespace = :'schema'::regnamespace
         union all
        select 'function', oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)), proowner
          from pg_proc where pronamespace = :'schema'::regnamespace) o, aclexplode(o.acl) a
 where a.grantee <> o.owner order by 2, 3, 4, 5;
\if :{?extension}
select 'member', pg_describe_object(classid, objid, objsubid)
  from pg_depend
 where deptype = 'e' and refclassid = 'pg_extension'::regclass
   and refobjid = (select oid from pg_extension where extname = :'schema')
 order by 2;
select 'dumped', t.config::regclass::text, t.condition
  from pg_extension e, unnest(extconfig, extcondition) as t (config, condition)
 where extname = :'schema' order by 2;
select 'extension', extname, extversion, extrelocatable, extnamespace::regnamespace
  from pg_extension where extname = :'schema';
\endif
