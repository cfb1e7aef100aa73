-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_add_seq(2)
--
--      Take part with a sequence of this database. On the root the queue gets it, else it follows what the root
--      publishes.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_seq_name      - name of the sequence; without a schema: public
-- Returns:
--      200 - added
--      201 - it was so already
--      400 - no such sequence here
--      404 - the queue does not have it
-- Tables:
--      insert, update: londiste.seq_info
--      insert: by pgq.insert_event, event londiste.update-seq
--      update: the sequence
-- Locks:
--      row of londiste.seq_info
-- Raises:
--      undefined_object - this database is no node of the queue
-- ----------------------------------------------------------------------
create or replace function londiste.local_add_seq(
    i_queue_name text, i_seq_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_seq_name);
    is_root constant boolean := pgq_node.is_root_node(i_queue_name);
    known londiste.seq_info;
begin
    if londiste.find_seq_oid(fq) is null then
        ret_code := 400;
        ret_note := 'Sequence not found: ' || fq;
        return;
    end if;
    if is_root then
        insert into londiste.seq_info (queue_name, seq_name, last_value)
        values (i_queue_name, fq, 0) on conflict (queue_name, seq_name) do nothing;
    end if;
    select s.* into known from londiste.seq_info s
     where s.queue_name = i_queue_name and s.seq_name = fq for update;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown sequence: ' || fq;
        return;
    elsif known.local then
        ret_code := 201;
        ret_note := 'Sequence already added: ' || fq;
        return;
    end if;
    update londiste.seq_info s set local = true where s.queue_name = i_queue_name and s.seq_name = fq;
    if is_root then
        perform londiste._publish_seq(i_queue_name, fq, londiste._seq_ahead(fq));
    else
        perform londiste._seq_advance(fq, known.last_value);
    end if;
    ret_code := 200;
    ret_note := 'Sequence added: ' || fq;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
