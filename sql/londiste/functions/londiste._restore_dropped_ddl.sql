-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._restore_dropped_ddl(2)
--
--      A copy that has dropped indexes and constraints of a table is given up. Where other queues copy into the same
--      table, one of these has the statements from now on, and what is in the table stays: it may be theirs. Else the
--      table is emptied, as what is in it is part of a copy, and the statements are run.
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
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._restore_dropped_ddl(i_queue_name text, i_table_name text)
returns void as $$
declare
    tbl londiste.table_info;
    dest text;
    rel oid;
    session_role constant text := current_setting('session_replication_role');
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
    begin
        perform londiste.set_session_replication_role('replica', true);
    exception
        when insufficient_privilege then
            null;
    end;
    execute format('truncate %s%s', case when (select relkind = 'r' from pg_catalog.pg_class where oid = rel) then 'only '
                   else '' end, londiste.quote_fqname(dest));
    execute tbl.dropped_ddl;
    if current_setting('session_replication_role') <> session_role then
        perform londiste.set_session_replication_role(session_role, true);
    end if;
end;
$$ language plpgsql;
