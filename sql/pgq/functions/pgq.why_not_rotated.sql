-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.why_not_rotated(0)
--
--      Say what keeps event tables from being emptied: of each queue whose rotation is due, who or what holds it up.
--
--      Reasons: consumer (it has not read on); transaction (one is open, here or in another database of the server, that
--      may have written to the table); prepared transaction; reader (somebody uses the table that is to be emptied, as
--      pg_dump does); retention (all have read, the queue keeps events for longer); maintenance (nothing is in the way:
--      the ticker's maintenance does not run); restored (from another server, and not ticked yet).
--
-- Parameters:
--      none
-- Returns:
--      a row for each queue and culprit. overdue: for how long; who: name of the consumer, pid, or name of the prepared
--      transaction; detail: what is known of it, as far as the caller may see it.
-- Tables:
--      select: pgq.queue, pgq.subscription, pgq.tick, pg_locks, pg_stat_activity, pg_prepared_xacts
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.why_not_rotated(
    out queue_name text, out overdue interval, out reason text, out who text, out detail text)
returns setof record as $$
declare
    q record;
begin
    for q in
        select qu.queue_id, qu.queue_name as name, coalesce(qu.queue_switch_step2, qu.queue_switch_step1) as step,
               qu.queue_switch_step2 is null as half_done,
               now() - qu.queue_switch_time - qu.queue_rotation_period as late,
               qu.queue_read_time + qu.queue_retention as kept_until,
               to_regclass(pgq.quote_fqname(qu.queue_data_pfx || '_'
                   || (qu.queue_cur_table + 1) % qu.queue_ntables)) as next_table
          from pgq.queue qu
         where qu.queue_switch_step2 is null
            or qu.queue_switch_time + qu.queue_rotation_period < current_timestamp
         order by qu.queue_name
    loop
        queue_name := q.name;
        overdue := greatest(q.late, '0');
        return query
            select q.name, greatest(q.late, '0'), b.reason, b.who, b.detail
              from pgq._rotation_blockers(q.queue_id, q.step, q.next_table) b where not q.half_done;
        if not found then
            reason := case when pgq._is_other_era(q.queue_id) then 'restored' when q.kept_until > now() then 'retention'
                           else 'maintenance' end;
            who := null;
            detail := case when q.half_done then 'step 2 is due'
                           when q.kept_until > now() then format('events are kept until %s', q.kept_until)
                           else 'step 1 is due' end;
            return next;
        end if;
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._rotation_blockers(3)
--
--      Who holds up the rotation of a queue? A transaction counts that has been open since before i_step.
-- ----------------------------------------------------------------------
create or replace function pgq._rotation_blockers(i_queue_id integer, i_step bigint, i_table regclass)
returns table (reason text, who text, detail text) as $$
    select 'consumer', c.co_name, format('at tick %s, %s old; last seen %s ago', s.sub_last_tick,
               coalesce((now() - t.tick_time)::text, 'lost'), now() - s.sub_active)
      from pgq.subscription s
      join pgq.consumer c on c.co_id = s.sub_consumer
      left join pgq.tick t on t.tick_queue = s.sub_queue and t.tick_id = s.sub_last_tick
     where s.sub_queue = i_queue_id and s.sub_last_tick is not null and s.sub_detached is null
       and coalesce(txid_snapshot_xmin(t.tick_snapshot) <= i_step, true)
       -- One that has read all is held up by what holds up the ticks.
       and exists (select 1 from pgq.tick n where n.tick_queue = i_queue_id and n.tick_id > s.sub_last_tick
                      and txid_snapshot_xmin(n.tick_snapshot) > i_step)
     union all
    select 'transaction', a.pid::text, format('of %s in database %s, since %s, %s', a.usename, a.datname,
               a.xact_start, a.state)
      from pg_stat_activity a
     where a.backend_xid is not null and pgq._full_txid(a.backend_xid) <= i_step
     union all
    select 'prepared transaction', p.gid, format('of %s in database %s, since %s', p.owner, p.database, p.prepared)
      from pg_prepared_xacts p where pgq._full_txid(p.transaction) <= i_step
     union all
    select distinct 'reader', l.pid::text, format('of %s, %s: %s', a.usename, a.application_name, left(a.query, 60))
      from pg_locks l
      left join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'relation' and l.relation = i_table and l.granted
       and l.database = (select d.oid from pg_database d where d.datname = current_database())
       and l.pid is distinct from pg_backend_pid()
$$ language sql volatile set search_path = pg_catalog, pg_temp;
