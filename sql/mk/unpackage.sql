-- SPDX-License-Identifier: ISC
-- For psql: turn extension @EXTENSION@ into plain objects, as if a script had loaded them. Nothing is lost; pg_dump
-- saves all of it from then on. What follows then is @EXTENSION@.sql, or @EXTENSION@_pl.sql where there is one.
\set ON_ERROR_STOP 1
begin;
do $$
declare
    o record;
begin
    for o in
        select i.type, i.identity
          from pg_catalog.pg_depend d
         cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i
         where d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
           and d.refobjid = (select e.oid from pg_catalog.pg_extension e where e.extname = '@EXTENSION@')
           -- From PostgreSQL 17 on types of rows and arrays are members too, that go with what they are of.
           and not (d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid in (
               select reltype from pg_catalog.pg_class where relkind <> 'c'
                union all
               select typarray from pg_catalog.pg_type))
    loop
        execute pg_catalog.format('alter extension @EXTENSION@ drop %s %s', o.type, o.identity);
    end loop;
    drop extension @EXTENSION@;
end;
$$;
commit;
