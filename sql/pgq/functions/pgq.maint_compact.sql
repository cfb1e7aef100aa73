-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_compact(0)
--
--      Rewrite the tables whose rows come and go one by one, when most of what they hold is dead: what is alive is
--      put aside, the table truncated, and filled again. Unlike vacuum, that works however old a snapshot somebody
--      holds: so these tables stay as small as what is in them. A table that is in use just now waits. A transaction
--      with an older snapshot sees them empty then; pg_dump holds locks that prevent it, and is waited for where it may
--      just be about to.
--
-- Parameters:
--      none
-- Returns:
--      0
-- Tables:
--      truncate, insert: see pgq._tables_to_compact
-- Locks:
--      these tables: ACCESS EXCLUSIVE, if it can be had at once
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.maint_compact()
returns integer as $$
declare
    tbl regclass;
begin
    for tbl in select * from pgq._tables_to_compact() loop
        begin
            execute format('lock table %s in access exclusive mode nowait', tbl);
        exception
            when lock_not_available then
                continue;
        end;
        execute format('create temp table pgq_compact on commit drop as select * from %s', tbl);
        execute format('truncate %s', tbl);
        execute format('insert into %s select * from pg_temp.pgq_compact', tbl);
        drop table pg_temp.pgq_compact;
    end loop;
    return 0;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._tables_to_compact(0)
--
--      Name the tables that hold more than a thousand dead rows, and more dead ones than twice the living. Of
--      subscriptions, and whatever else has a version, the dead ones do not matter before there are very many: see
--      pgq._subscription_version.
-- ----------------------------------------------------------------------
create or replace function pgq._tables_to_compact()
returns setof regclass as $$
    select t.name
      from (values ('pgq.retry_queue'::regclass, 1000), ('pgq.failed_queue', 1000), ('pgq.subscription', 50000),
                   (to_regclass('pgq_node.local_state'), 50000), (to_regclass('pgq_ext.completed_tick'), 50000),
                   (to_regclass('pgq_ext.completed_batch'), 50000), (to_regclass('pgq_ext.partial_batch'), 50000))
        as t (name, least)
     where t.name is not null and has_table_privilege(t.name, 'truncate')
       and pg_catalog.pg_stat_get_dead_tuples(t.name) > t.least
       and pg_catalog.pg_stat_get_dead_tuples(t.name) > 2 * pg_catalog.pg_stat_get_live_tuples(t.name)
       and not exists (select 1 from pg_catalog.pg_stat_activity a
                        where a.datname = pg_catalog.current_database() and a.application_name = 'pg_dump')
$$ language sql stable;
