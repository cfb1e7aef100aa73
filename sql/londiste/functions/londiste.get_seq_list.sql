-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.get_seq_list(1)
--
--      List the sequences of a queue.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      seq_name; last_value: what the root has published; local: added here
-- Tables:
--      select: londiste.seq_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.get_seq_list(
    i_queue_name text, out seq_name text, out last_value bigint, out local boolean)
returns setof record as $$
begin
    return query
    select s.seq_name, s.last_value, s.local
      from londiste.seq_info s where s.queue_name = i_queue_name order by s.nr, s.seq_name;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
