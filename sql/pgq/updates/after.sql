-- SPDX-License-Identifier: ISC
-- Queues that are there already get what new queues have.
do $$
declare
    member text;
begin
    perform pgq.upgrade_schema();
    -- Versions before 3.3 gave fewer rights on the tables of a queue.
    perform pgq.grant_perms(queue_name) from pgq.queue;
    -- Objects of queues are nobody's members, or a queue could not be dropped.
    for member in
        select c.oid::pg_catalog.regclass::text
          from pgq.queue q
          join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(q.queue_wake_seq)
          join pg_catalog.pg_depend d on d.objid = c.oid and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
         where d.deptype = 'e'
    loop
        execute 'alter extension pgq drop sequence ' || member;
    end loop;
end;
$$;
