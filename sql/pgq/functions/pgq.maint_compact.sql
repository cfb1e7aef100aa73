-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_compact(0)
--
--      Rewrite the tables whose rows come and go one by one, when most of what they hold is dead: what is alive is
--      put aside, the table truncated, and filled again. Unlike vacuum, that works however old a snapshot somebody
--      holds: so these tables stay as small as what is in them. A table that is in use just now waits.
--
-- Parameters:
--      none
-- Returns:
--      0
-- Tables:
--      truncate, insert: pgq.retry_queue, pgq.failed_queue
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
--      Name the tables that hold more than a thousand dead rows, and more dead ones than twice the living.
-- ----------------------------------------------------------------------
create or replace function pgq._tables_to_compact()
returns setof regclass as $$
    select t from unnest(array['pgq.retry_queue', 'pgq.failed_queue']::regclass[]) as t
     where pg_catalog.pg_stat_get_dead_tuples(t) > 1000
       and pg_catalog.pg_stat_get_dead_tuples(t) > 2 * pg_catalog.pg_stat_get_live_tuples(t)
$$ language sql stable;
