-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.get_table_pending_fkeys(1)
--
--      List the dropped foreign keys of a table, and those that pointed to it.
--
-- Parameters:
--      i_table_name    - name of the table here
-- Returns:
--      rows of londiste.pending_fkeys
-- Tables:
--      select: londiste.pending_fkeys
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.get_table_pending_fkeys(i_table_name text)
returns setof londiste.pending_fkeys as $$
begin
    return query
    select f.* from londiste.pending_fkeys f
     where londiste.make_fqname(i_table_name) in (f.from_table, f.to_table)
     order by f.from_table, f.to_table, f.fkey_name;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.get_valid_pending_fkeys(1)
--
--      List the dropped foreign keys that can come back: those of whose tables each queue here has come to an end, with
--      no copy running or due. A table that no queue has here is as it is.
--      Each is given to one queue only: a leaf that is merged into a root, then the combined branch, then the first by
--      name.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      rows of londiste.pending_fkeys
-- Tables:
--      select: londiste.pending_fkeys, londiste.table_info, pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.get_valid_pending_fkeys(i_queue_name text)
returns setof londiste.pending_fkeys as $$
declare
    fkey londiste.pending_fkeys;
begin
    for fkey in
        select f.* from londiste.pending_fkeys f order by f.from_table, f.to_table, f.fkey_name
    loop
        if i_queue_name = londiste._restorer(fkey.from_table, fkey.to_table)
            and not exists (
                select 1 from londiste.table_info t
                 where t.local and coalesce(t.dest_table, t.table_name) in (fkey.from_table, fkey.to_table)
                   and (t.merge_state is distinct from 'ok' or t.custom_snapshot is not null))
        then
            return next fkey;
        end if;
    end loop;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._restorer(2)
--
--      Tell which queue has to bring the foreign keys of a pair of tables back: of those that have one of them here
--      a leaf that is merged into a root, else the combined branch, else the first by name; if none has, any queue.
--
-- Parameters:
--      i_from_table, i_to_table - names of the tables here
-- Returns:
--      name of the queue
-- Tables:
--      select: londiste.table_info, pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._restorer(i_from_table text, i_to_table text)
returns text as $$
    select n.queue_name
      from pgq_node.node_info n
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
     order by exists (select 1 from londiste.table_info t
                       where t.queue_name = n.queue_name and t.local
                         and coalesce(t.dest_table, t.table_name) in (i_from_table, i_to_table)) desc,
              n.node_type = 'leaf' and c.node_type is not distinct from 'root' desc,
              exists (select 1 from pgq_node.node_info m where m.combined_queue = n.queue_name) desc,
              c.node_type is not distinct from 'branch', n.queue_name
     limit 1
$$ language sql stable set search_path = pg_catalog, pg_temp;
