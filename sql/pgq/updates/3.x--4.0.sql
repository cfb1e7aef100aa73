-- SPDX-License-Identifier: ISC
-- From pgq 3.1 and later, and from either engine to the other. Columns: see pgq.upgrade_schema.
alter table pgq.queue alter column queue_ticker_max_lag set default '10 milliseconds';

-- Helpers of the engine without C; where it stays, they are made again.
do $$
declare
    helper text;
begin
    for helper in
        select oid::pg_catalog.regprocedure::text
          from pg_catalog.pg_proc
         where pronamespace = 'pgq'::pg_catalog.regnamespace
           and (proname = '_urlencode' or pg_catalog.starts_with(proname, '_pl_'))
    loop
        execute 'drop function ' || helper;
    end loop;
end;
$$;
