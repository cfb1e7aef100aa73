-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_show_missing(1)
--
--      List what is not added here. On the root: tables and sequences of the database; of a partitioned table its
--      parts, unless it is added itself. Else: what the queue has.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      obj_kind: r table, S sequence; obj_name: name
-- Tables:
--      select: londiste.table_info, londiste.seq_info, pg_class
-- Locks:
--      none
-- Raises:
--      undefined_object - this database is no node of the queue
-- ----------------------------------------------------------------------
create or replace function londiste.local_show_missing(i_queue_name text, out obj_kind text, out obj_name text)
returns setof record as $$
begin
    if not pgq_node.is_root_node(i_queue_name) then
        return query
        select 'r', t.table_name from londiste.table_info t where t.queue_name = i_queue_name and not t.local
         union all
        select 'S', s.seq_name from londiste.seq_info s where s.queue_name = i_queue_name and not s.local
         order by 1 desc, 2;
        return;
    end if;
    return query
    with added as (
        select londiste.find_table_oid(coalesce(t.dest_table, t.table_name)) as rel
          from londiste.table_info t
         where t.queue_name = i_queue_name and t.local
         union all
        select londiste.find_seq_oid(s.seq_name) from londiste.seq_info s where s.queue_name = i_queue_name and s.local
    )
    select c.relkind::text, n.nspname || '.' || c.relname
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'S') and c.relpersistence <> 't'
       and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pgq', 'pgq_node', 'pgq_ext', 'pgq_coop', 'londiste')
       and not exists (select 1 from added a where a.rel = c.oid)
       and not exists (select 1 from pg_partition_ancestors(c.oid) p join added a on a.rel = p.relid)
     order by 1 desc, 2;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
