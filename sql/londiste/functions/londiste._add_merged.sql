-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._add_merged(6)
--
--      On a leaf: look after the queues that bring the same table, and add it to the combined queue. A table that is in
--      sync needs no care: it is not copied.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_trg_args, i_table_attrs, i_dest_table - as for local_add_table
--      i_state         - state that the table will have
-- Returns:
--      code and note as for local_add_table; NULL: done
-- Tables:
--      update: londiste.table_info
-- Locks:
--      rows updated
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._add_merged(
    i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs text, i_dest_table text, i_state text,
    out code integer, out note text)
returns record as $$
declare
    dest constant text := londiste.make_fqname(coalesce(i_dest_table, i_table_name));
    opts constant record := londiste._trigger_options(i_trg_args);
    node constant record := londiste._node(i_queue_name);
    other record;
begin
    for other in
        select s.queue_name, s.table_name, s.local
          from londiste._siblings(i_queue_name, dest) s
         where s.queue_name <> i_queue_name and i_state is distinct from 'ok' and (s.local or not opts.merge_all)
         order by s.local, s.queue_name
    loop
        code := 405;
        if other.local then
            note := format('Found local table %s in queue %s, use remove-table first to remove all previous '
                           'table subscriptions', londiste._title(other.table_name, dest), other.queue_name);
        else
            note := format('Found multiple sources for table %s, use merge-all or no-merge to continue',
                           londiste._title(i_table_name, dest));
        end if;
        return;
    end loop;

    if node.combined_type in ('root', 'branch') then
        select f.ret_code, f.ret_note into code, note
          from londiste.local_add_table(node.combined_queue, i_table_name, i_trg_args, i_table_attrs, i_dest_table) f;
        -- That the combined queue has it already is fine, with whatever attributes.
        if code >= 400 and code <> 410 then
            return;
        end if;
        code := null;
        note := null;
    end if;
    update londiste.table_info t
       set local = true, merge_state = i_state, table_attrs = i_table_attrs, dest_table = nullif(dest, t.table_name)
      from pgq_node.node_info n
     where n.queue_name = t.queue_name and n.node_type = 'leaf' and t.queue_name <> i_queue_name and not t.local
       and n.combined_queue is not distinct from node.combined_queue
       and (coalesce(t.dest_table, t.table_name) = dest or opts.merge_all and t.table_name = i_table_name);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
