-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_remove_table(2)
--
--      Take no part with a table any more; its data stays. What a copy had dropped of it comes back, see
--      _restore_dropped_ddl. Sequences that belong to its columns go too. On the root the queue loses the table.
--      Not with a search_path of its own: statements that a copy has saved are run as they were written.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
-- Returns:
--      200 - done
--      400 - the queue has no such table, or it is not added here
-- Tables:
--      update, delete: londiste.table_info, londiste.seq_info
--      insert: by pgq.insert_event, event londiste.remove-table
-- Locks:
--      row of londiste.table_info; the table: ACCESS EXCLUSIVE
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.local_remove_table(
    i_queue_name text, i_table_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_table_name);
    node_type constant text := (londiste._node(i_queue_name)).node_type;
    tbl londiste.table_info;
    dest text;
begin
    select t.* into tbl
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = fq
       for update;
    if not found or not tbl.local and node_type <> 'root' then
        ret_code := 400;
        ret_note := case when tbl.table_name is null then 'Table not found: ' else 'Table not registered locally: ' end || fq;
        return;
    end if;
    dest := coalesce(tbl.dest_table, tbl.table_name);
    if tbl.local then
        perform londiste._drop_replica_triggers(i_queue_name, dest);
        perform londiste._restore_dropped_ddl(i_queue_name, fq);
        perform londiste.local_remove_seq(i_queue_name, s.seq_name)
           from londiste.seq_info s
          where s.queue_name = i_queue_name and s.local
            and s.seq_name in (select londiste._fqname(f.seq) from londiste._owned_seqs(dest) f);
    end if;
    if node_type = 'root' then
        delete from londiste.table_info t where t.queue_name = i_queue_name and t.table_name = fq;
        perform londiste.root_notify_change(i_queue_name, 'londiste.remove-table', fq);
    else
        update londiste.table_info t
           set local = false, merge_state = null, custom_snapshot = null, dropped_ddl = null, table_attrs = null,
               dest_table = null, copy_error = null
         where t.queue_name = i_queue_name and t.table_name = fq;
        perform londiste._keep_triggers(dest);
    end if;
    ret_code := 200;
    ret_note := 'Table removed: ' || fq;
end;
$$ language plpgsql strict;

-- ----------------------------------------------------------------------
-- Function: londiste._owned_seqs(1)
--
--      List the sequences that belong to columns of a table, serial or identity.
--
-- Parameters:
--      i_dest_table    - name of the table here
-- Returns:
--      oids
-- Tables:
--      select: pg_depend, pg_class
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._owned_seqs(i_dest_table text, out seq oid)
returns setof oid as $$
    select d.objid
      from pg_depend d
      join pg_class c on c.oid = d.objid and c.relkind = 'S'
     where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
       and d.refobjid = londiste.find_table_oid(i_dest_table) and d.refobjsubid > 0
$$ language sql stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._keep_triggers(1)
--
--      A table that a branch or leaf still has, from another queue or under another name, but whose triggers went with
--      what is removed: make them again, so that nobody changes it.
--
-- Parameters:
--      i_dest_table    - name of the table here
-- Returns:
--      nothing
-- Tables:
--      select: londiste.table_info, pgq_node.node_info
-- Locks:
--      as create_trigger
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._keep_triggers(i_dest_table text)
returns void as $$
declare
    rel constant oid := londiste.find_table_oid(i_dest_table);
    other record;
begin
    if rel is null or exists (select 1 from londiste._replica_triggers(rel)) then
        return;
    end if;
    select t.queue_name, t.table_name, n.node_type into other
      from londiste.table_info t
      join pgq_node.node_info n on n.queue_name = t.queue_name and n.node_type <> 'root'
     where t.local and coalesce(t.dest_table, t.table_name) = i_dest_table
     order by t.queue_name, t.table_name
     limit 1;
    if found then
        perform londiste.create_trigger(other.queue_name, other.table_name, null, i_dest_table, other.node_type);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
