-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.global_update_seq(3)
--
--      Follow what the root has published of a sequence. The worker calls it for londiste.update-seq.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_seq_name      - name of the sequence; without a schema: public
--      i_value         - the value
-- Returns:
--      200 - done
--      402 - this is the root
--      404 - this database is no node of the queue
-- Tables:
--      insert, update: londiste.seq_info
--      update: the sequence, if it is added here
-- Locks:
--      row of londiste.seq_info
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.global_update_seq(
    i_queue_name text, i_seq_name text, i_value bigint, out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_seq_name);
    node_type constant text := (londiste._node(i_queue_name)).node_type;
    is_local boolean;
begin
    if node_type is null then
        ret_code := 404;
        ret_note := 'Set not found: ' || i_queue_name;
        return;
    elsif node_type = 'root' then
        ret_code := 402;
        ret_note := 'Must not run on root node';
        return;
    end if;
    insert into londiste.seq_info as s (queue_name, seq_name, last_value) values (i_queue_name, fq, i_value)
    on conflict (queue_name, seq_name) do update set last_value = excluded.last_value
    returning s.local into is_local;
    if is_local then
        perform londiste._seq_advance(fq, i_value);
    end if;
    ret_code := 200;
    ret_note := 'Sequence updated';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
