-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._restore_dropped_ddl(2)
--
--      A copy that has dropped indexes and constraints of a table is given up. Where other queues copy into the same
--      table, one of these has the statements from now on. Else the statements are run. Before that the table is
--      emptied, as what is in it is part of a copy; not if it may be of another queue, or was there before
--      (skip_truncate).
--      Not with a search_path of its own: statements are run as they were written. That the table is emptied is told to
--      nobody: neither was the copy.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
-- Returns:
--      nothing
-- Tables:
--      update: londiste.table_info; the table
-- Locks:
--      the table: ACCESS EXCLUSIVE
-- Raises:
--      as the statements
-- ----------------------------------------------------------------------
create or replace function londiste._restore_dropped_ddl(i_queue_name text, i_table_name text)
returns void as $$
declare
    tbl londiste.table_info;
    dest text;
    rel oid;
begin
    select t.* into tbl
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = i_table_name and t.dropped_ddl is not null
       for update;
    if not found then
        return;
    end if;
    dest := coalesce(tbl.dest_table, tbl.table_name);
    rel := londiste.find_table_oid(dest);
    update londiste.table_info t set dropped_ddl = null
     where t.queue_name = i_queue_name and t.table_name = i_table_name;
    update londiste.table_info t set dropped_ddl = coalesce(t.dropped_ddl, tbl.dropped_ddl)
      from (select s.queue_name, s.table_name
              from londiste._siblings(i_queue_name, dest) s
             where s.local and s.queue_name <> i_queue_name and s.merge_state in ('in-copy', 'catching-up')
             order by s.dropped_ddl is null, s.queue_name
             limit 1) heir
     where t.queue_name = heir.queue_name and t.table_name = heir.table_name;
    if found or rel is null then
        return;
    end if;
    if coalesce(tbl.table_attrs, '') !~ '(^|&)skip_truncate=[^0&]'
        and not exists (select 1 from londiste._siblings(i_queue_name, dest) s
                         where s.local and s.queue_name <> i_queue_name and s.merge_state is not null)
    then
        perform londiste._truncate(rel);
    end if;
    execute tbl.dropped_ddl;
end;
$$ language plpgsql;

-- ----------------------------------------------------------------------
-- Function: londiste._truncate(1)
--
--      Empty a table without firing triggers: deny is no obstacle.
--
-- Parameters:
--      i_table - the table
-- Returns:
--      nothing
-- Tables:
--      the table
-- Locks:
--      the table: ACCESS EXCLUSIVE
-- Raises:
--      feature_not_supported - foreign keys point to the table
-- ----------------------------------------------------------------------
create or replace function londiste._truncate(i_table oid)
returns void as $$
declare
    session_role constant text := current_setting('session_replication_role');
begin
    begin
        perform londiste.set_session_replication_role('replica', true);
    exception
        when insufficient_privilege then
            -- Loaded by a plain user: it goes on if no trigger objects.
            null;
    end;
    execute format('truncate %s%s', (select case relkind when 'r' then 'only ' end from pg_class where oid = i_table),
                   i_table::regclass);
    if current_setting('session_replication_role') <> session_role then
        perform londiste.set_session_replication_role(session_role, true);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
