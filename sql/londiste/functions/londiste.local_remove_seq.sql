-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_remove_seq(2)
--
--      Take no part with a sequence any more. On the root the queue loses it.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_seq_name      - name of the sequence; without a schema: public
-- Returns:
--      200 - done
--      400 - the root has no such sequence
--      404 - no such sequence is added here
-- Tables:
--      update, delete: londiste.seq_info
--      insert: by pgq.insert_event, event londiste.remove-seq
-- Locks:
--      row of londiste.seq_info
-- Raises:
--      undefined_object - this database is no node of the queue
-- ----------------------------------------------------------------------
create or replace function londiste.local_remove_seq(
    i_queue_name text, i_seq_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_seq_name);
begin
    if pgq_node.is_root_node(i_queue_name) then
        select f.ret_code, f.ret_note into ret_code, ret_note from londiste.global_remove_seq(i_queue_name, fq) f;
        return;
    end if;
    update londiste.seq_info s set local = false
     where s.queue_name = i_queue_name and s.seq_name = fq and s.local;
    if found then
        ret_code := 200;
        ret_note := 'Sequence removed: ' || fq;
    else
        ret_code := 404;
        ret_note := 'Sequence not found: ' || fq;
    end if;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
