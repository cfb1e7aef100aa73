-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.global_remove_seq(2)
--
--      Forget a sequence of a queue. The worker calls it for londiste.remove-seq; the root tells it by that.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_seq_name      - name of the sequence; without a schema: public
-- Returns:
--      200 - done
--      400 - the queue has no such sequence
-- Tables:
--      delete: londiste.seq_info
--      insert: by pgq.insert_event, event londiste.remove-seq
-- Locks:
--      row of londiste.seq_info
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.global_remove_seq(
    i_queue_name text, i_seq_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_seq_name);
begin
    delete from londiste.seq_info s where s.queue_name = i_queue_name and s.seq_name = fq;
    if not found then
        ret_code := 400;
        ret_note := 'Sequence not found: ' || fq;
        return;
    end if;
    if pgq_node.is_root_node(i_queue_name) then
        perform londiste.root_notify_change(i_queue_name, 'londiste.remove-seq', fq);
    end if;
    ret_code := 200;
    ret_note := 'Sequence removed: ' || fq;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
