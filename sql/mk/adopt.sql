-- SPDX-License-Identifier: ISC
-- Make members of the extension of what a script has loaded: all in its schema but the objects of queues.
do $$
declare
    o record;
begin
    alter extension @EXTENSION@ add schema @EXTENSION@;
    for o in
        select case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end as kind,
               c.oid::pg_catalog.regclass::text as name
          from pg_catalog.pg_class c
         where c.relnamespace = '@EXTENSION@'::pg_catalog.regnamespace and c.relkind in ('r', 'S', 'v')
           and c.relname !~ '^event_[0-9]+'
         union all
        select case prokind when 'p' then 'procedure' else 'function' end, p.oid::pg_catalog.regprocedure::text
          from pg_catalog.pg_proc p
         where p.pronamespace = '@EXTENSION@'::pg_catalog.regnamespace
            or p.pronamespace = 'public'::pg_catalog.regnamespace and p.proname in (@PUBLIC@)
    loop
        execute pg_catalog.format('alter extension @EXTENSION@ add %s %s', o.kind, o.name);
    end loop;
end;
$$;
