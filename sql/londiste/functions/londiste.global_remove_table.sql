-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.global_remove_table(2)
--
--      Forget a table of a queue. The worker calls it for londiste.remove-table.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
-- Returns:
--      200 - done
--      400 - the queue has no such table
-- Tables:
--      delete: londiste.table_info
-- Locks:
--      as local_remove_table
-- Raises:
--      undefined_object - this database is no node of the queue
-- ----------------------------------------------------------------------
create or replace function londiste.global_remove_table(
    i_queue_name text, i_table_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_table_name);
begin
    if not pgq_node.is_root_node(i_queue_name) then
        perform londiste.local_remove_table(i_queue_name, fq);
    end if;
    delete from londiste.table_info t where t.queue_name = i_queue_name and t.table_name = fq;
    if found then
        ret_code := 200;
        ret_note := 'Table removed: ' || i_table_name;
    else
        ret_code := 400;
        ret_note := 'Table not found: ' || fq;
    end if;
end;
$$ language plpgsql strict;
