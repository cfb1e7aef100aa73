-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.get_seq_values(1)
--
--      Give the exact values of the sequences of a queue, for a takeover: when the old root takes no changes any more,
--      what it has used is here, and set_seq_values brings it to the new one.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      seq_name, last_value, is_called, of sequences that are added here and exist
-- Tables:
--      select: londiste.seq_info, the sequences
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.get_seq_values(
    i_queue_name text, out seq_name text, out last_value bigint, out is_called boolean)
returns setof record as $$
    select s.seq_name, f.last_value, f.is_called
      from londiste.seq_info s
     cross join lateral londiste._seq(s.seq_name) f
     where s.queue_name = i_queue_name and s.local and f.step is not null
     order by s.nr, s.seq_name
$$ language sql strict set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.set_seq_values(3)
--
--      Bring sequences of this database to values that were used elsewhere, at least: see get_seq_values. With this on
--      the node that takes over, before it is promoted, no used value is given out again, however fast they were used
--      since the last londiste.update-seq.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_seq_names     - names
--      i_values        - values, in the same order
-- Returns:
--      200 - done
--      404 - one of them is not added here: none is set
-- Tables:
--      select: londiste.seq_info
--      update: the sequences
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.set_seq_values(
    i_queue_name text, i_seq_names text[], i_values bigint[], out ret_code integer, out ret_note text)
returns record as $$
declare
    missing constant text := (
        select string_agg(name, ', ' order by name) from unnest(i_seq_names) as name
         where not exists (select 1 from londiste.seq_info s
                            where s.queue_name = i_queue_name and s.seq_name = londiste.make_fqname(name) and s.local));
begin
    if missing is not null then
        ret_code := 404;
        ret_note := 'Sequence not found: ' || missing;
        return;
    end if;
    perform londiste._seq_advance(londiste.make_fqname(v.name), v.val)
       from unnest(i_seq_names, i_values) as v (name, val)
      where v.val is not null;
    ret_code := 200;
    ret_note := format('Sequences set: %s', cardinality(i_seq_names));
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
