-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.global_add_table(2)
--
--      Note that a queue has a table, and its combined queue too. The worker calls it for londiste.add-table.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
-- Returns:
--      200 - done, or it was so already
--      400 - this database is no node of the queue
-- Tables:
--      insert: londiste.table_info
-- Locks:
--      none; of two callers the second waits for the first
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.global_add_table(
    i_queue_name text, i_table_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_table_name);
    node constant record := londiste._node(i_queue_name);
begin
    if node.node_type is null then
        ret_code := 400;
        ret_note := 'No such queue: ' || i_queue_name;
        return;
    end if;
    ret_code := 200;
    insert into londiste.table_info (queue_name, table_name) values (i_queue_name, fq)
    on conflict (queue_name, table_name) do nothing;
    if not found then
        ret_note := 'Table already added: ' || fq;
        return;
    end if;
    ret_note := 'Table added: ' || i_table_name;
    if node.combined_queue is not null then
        perform londiste.global_add_table(node.combined_queue, i_table_name);
    end if;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
