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
begin
    return query
    select f.*
      from londiste.pending_fkeys f
     where i_queue_name = (
            select n.queue_name
              from pgq_node.node_info n
              left join pgq_node.node_info c on c.queue_name = n.combined_queue
              left join londiste.table_info t on t.queue_name = n.queue_name and t.local
                    and coalesce(t.dest_table, t.table_name) in (f.from_table, f.to_table)
             group by n.queue_name, n.node_type, c.node_type
             order by count(t.nr) = 0, n.node_type = 'leaf' and c.node_type = 'root' desc,
                      exists (select 1 from pgq_node.node_info m where m.combined_queue = n.queue_name) desc,
                      n.queue_name
             limit 1)
       and not exists (
            select 1 from londiste.table_info t
             where t.local and coalesce(t.dest_table, t.table_name) in (f.from_table, f.to_table)
               and (t.merge_state is distinct from 'ok' or t.custom_snapshot is not null))
     order by f.from_table, f.to_table, f.fkey_name;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
