-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._coordinate_copy(2)
--
--      Several queues bring the same table, and all of them copy it: tell one of them what it may do now. The one that
--      drops indexes and constraints leads, and makes them again when all have copied. Who holds the statements for
--      that leads, else the first by name.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
-- Returns:
--      copy_role - NULL: no need to care;
--          lead: drop indexes and constraints, keep them as dropped_ddl, then copy;
--          wait-copy: do not begin to copy yet;
--          wait-replay: copy, but do not replay events yet
--      copy_pos - how many of the others copy and come before this one
-- Tables:
--      select: londiste.table_info, pgq_node.node_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._coordinate_copy(
    i_queue_name text, i_table_name text, out copy_role text, out copy_pos integer)
returns record as $$
declare
    me londiste.table_info;
    lead londiste.table_info;
    total integer;
    to_copy integer;
    past_copy integer;
begin
    copy_pos := 0;
    select t.* into me
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = i_table_name and t.local;
    if not found or me.merge_state is null or me.merge_state not in ('in-copy', 'catching-up') then
        return;
    end if;
    select count(*), count(*) filter (where s.merge_state is null or s.merge_state = 'in-copy'),
           count(*) filter (where s.merge_state <> 'in-copy'),
           count(*) filter (where s.merge_state = 'in-copy' and me.merge_state = 'in-copy'
                                  and s.queue_name < i_queue_name)
      into total, to_copy, past_copy, copy_pos
      from londiste._siblings(i_queue_name, coalesce(me.dest_table, me.table_name)) s
     where s.local and s.merge_state is distinct from 'ok';
    select s.* into lead
      from londiste._siblings(i_queue_name, coalesce(me.dest_table, me.table_name)) s
     where s.local and s.merge_state is distinct from 'ok'
     order by s.dropped_ddl is null, s.queue_name
     limit 1;

    if total < 2 then
        copy_pos := 0;
    elsif lead.queue_name = i_queue_name and me.merge_state = 'in-copy' then
        copy_pos := 0;
        copy_role := case when me.dropped_ddl is null and past_copy > 0 then 'wait-replay' else 'lead' end;
    elsif lead.queue_name = i_queue_name then
        copy_role := case when me.dropped_ddl is not null and to_copy > 0 then 'wait-replay' end;
    elsif me.merge_state = 'in-copy' then
        -- Once one has copied with all in place, so do the others.
        copy_role := case when lead.dropped_ddl is null and past_copy = 0 then 'wait-copy' else 'wait-replay' end;
    elsif lead.dropped_ddl is not null then
        copy_role := 'wait-replay';
    end if;
end;
$$ language plpgsql strict stable set search_path = pg_catalog, pg_temp;
