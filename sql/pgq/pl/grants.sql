-- SPDX-License-Identifier: ISC
-- Helpers of functions that run with the rights of the caller.
do $helpers$
declare
    helper record;
begin
    for helper in
        select oid::pg_catalog.regprocedure::text as name,
               proname in ('_pl_open_queue', '_pl_no_queue', '_pl_check_snapshot', '_pl_check_enabled') as of_raw
          from pg_catalog.pg_proc
         where pronamespace = 'pgq'::pg_catalog.regnamespace and pg_catalog.starts_with(proname, '_pl_')
    loop
        if exists (select 1 from pg_catalog.pg_roles where rolname = 'pgq_writer') then
            execute pg_catalog.format('grant execute on function %s to %I', helper.name,
                                      case when helper.of_raw then 'pgq_admin' else 'pgq_writer' end);
        elsif not helper.of_raw then
            execute pg_catalog.format('grant execute on function %s to public', helper.name);
        end if;
    end loop;
end;
$helpers$;
