-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.root_check_seqs(2)
--
--      Publish the sequences of a queue that have nearly reached what was published before. Called by the worker of the
--      root, and listed by pgq.maint_operations.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_buffer        - how many steps before; what is published is three times as far ahead. Less than 10: 10000
-- Returns:
--      100 - done; the note names sequences that are missing
--      402 - this is not the root
--      404 - this database is no node of the queue
-- Tables:
--      select: pgq.queue
--      update: londiste.seq_info
--      insert: by pgq.insert_event, event londiste.update-seq
-- Locks:
--      rows updated
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.root_check_seqs(
    i_queue_name text, i_buffer bigint, out ret_code integer, out ret_note text)
returns record as $$
declare
    node_type constant text := (londiste._node(i_queue_name)).node_type;
    buffer constant bigint := case when i_buffer >= 10 then i_buffer else 10000 end;
    seq record;
    missing text;
begin
    if node_type is distinct from 'root' then
        ret_code := case when node_type is null then 404 else 402 end;
        ret_note := case when node_type is null then 'Queue not found: ' || i_queue_name else 'Not a root node' end;
        return;
    end if;
    ret_code := 100;
    -- A root that is being demoted takes no events.
    if (select q.queue_disable_insert from pgq.queue q where q.queue_name = i_queue_name) then
        ret_note := 'Queue takes no events now';
        return;
    end if;
    for seq in
        select s.seq_name, s.last_value as published, f.last_value, f.step, f.cycle,
               londiste._seq_ahead(s.seq_name, buffer) as ahead
          from londiste.seq_info s
         cross join lateral londiste._seq(s.seq_name) f
         where s.queue_name = i_queue_name and s.local
         order by s.nr, s.seq_name
    loop
        if seq.step is null then
            missing := concat_ws(', ', missing, seq.seq_name);
        elsif seq.ahead <> seq.published and (
            seq.cycle or (seq.last_value + buffer * seq.step::numeric - seq.published) * sign(seq.step) >= 0)
        then
            perform londiste._publish_seq(i_queue_name, seq.seq_name, seq.ahead);
        end if;
    end loop;
    ret_note := 'Sequences updated' || coalesce(', but there is no ' || missing, '');
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.root_check_seqs(1)
--
--      The same with a buffer of 10000.
--
-- Parameters:
--      as above
-- Returns:
--      as above
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.root_check_seqs(i_queue_name text, out ret_code integer, out ret_note text)
returns record as $$
begin
    select f.ret_code, f.ret_note into ret_code, ret_note from londiste.root_check_seqs(i_queue_name, 10000) f;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._publish_seq(3)
--
--      On the root: tell the other nodes the value of a sequence.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_seq_name      - name of the sequence; without a schema: public
--      i_value         - the value
-- Returns:
--      nothing
-- Tables:
--      update: londiste.seq_info
--      insert: by pgq.insert_event
-- Locks:
--      row updated
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._publish_seq(i_queue_name text, i_seq_name text, i_value bigint)
returns void as $$
begin
    update londiste.seq_info s set last_value = i_value
     where s.queue_name = i_queue_name and s.seq_name = i_seq_name;
    perform pgq.insert_event(i_queue_name, 'londiste.update-seq', i_value::text, i_seq_name, null, null, null);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
