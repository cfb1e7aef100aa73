-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_operations(0)
--
--      List the maintenance that is due. Each row is to be run in a transaction of its own: func_name is a function
--      that takes func_arg, or nothing if it is NULL, and wants to be called again at once when its result is not
--      0; "vacuum" is the statement, func_arg the table.
--
-- Parameters:
--      none
-- Returns:
--      detaching of consumers that are gone; rotation, step 1 of each queue that is due, then step 2; what queues ask for in queue_extra_maint; compaction of
--      the retry queue and of dead letters; tables to vacuum; upkeep of pgq_node and londiste where they are installed
-- Tables:
--      select: pgq.queue, pgq_node.node_info, londiste.seq_info
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.maint_operations(out func_name text, out func_arg text)
returns setof record as $$
declare
    step2_due boolean;
begin
    if exists (select 1 from pgq.queue where queue_gone_policy = 'detach' and queue_gone_after is not null) then
        func_name := 'pgq.maint_gone_consumers';
        return next;
    end if;

    func_name := 'pgq.maint_rotate_tables_step1';
    for func_arg in
        select queue_name
          from pgq.queue
         where queue_switch_step2 is not null
           and queue_switch_time + queue_rotation_period < current_timestamp
         order by queue_name
    loop
        step2_due := true;
        return next;
    end loop;

    if step2_due or exists (select 1 from pgq.queue where queue_switch_step2 is null) then
        func_name := 'pgq.maint_rotate_tables_step2';
        func_arg := null;
        return next;
    end if;

    return query
    select extra.name, q.queue_name
      from pgq.queue q
     cross join unnest(q.queue_extra_maint) with ordinality as extra (name, nr)
     order by q.queue_name, extra.nr;

    return query
    select 'pgq.maint_compact'::text, null::text where exists (select 1 from pgq._tables_to_compact());

    return query
    select 'vacuum'::text, t from pgq.maint_tables_to_vacuum() as t;

    if to_regprocedure('pgq_node.maint_watermark(text)') is not null then
        return query execute
            'select ''pgq_node.maint_watermark''::text, queue_name
               from pgq_node.node_info where node_type = ''root'' order by queue_name';
    end if;
    if to_regprocedure('londiste.root_check_seqs(text)') is not null then
        return query execute
            'select distinct ''londiste.root_check_seqs''::text, s.queue_name
               from londiste.seq_info s
               join pgq_node.node_info n on n.queue_name = s.queue_name
              where s.local and n.node_type = ''root'' order by 2';
    end if;
    if to_regprocedure('londiste.periodic_maintenance()') is not null then
        func_name := 'londiste.periodic_maintenance';
        func_arg := null;
        return next;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
