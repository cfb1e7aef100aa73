-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._is_other_era(1)
--
--      Has the last tick of a queue been made by another server, with other transaction numbers? So it is after a dump
--      was restored. A tick's own row is written by a transaction that its snapshot does not yet see; one that was
--      restored was written by one that is older than all that the snapshot had running. Where numbers have gone
--      forward there is nothing to do: all that is in the dump is in the past.
--
-- Parameters:
--      i_queue_id  - the queue
-- Returns:
--      true or false
-- Tables:
--      select: pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._is_other_era(i_queue_id integer)
returns boolean as $$
begin
    return coalesce((
        select pgq._full_txid(t.xmin) < txid_snapshot_xmin(t.tick_snapshot)
          from pgq.tick t where t.tick_queue = i_queue_id
         order by t.tick_id desc limit 1), false);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._full_txid(1)
--
--      The number that a row's xmin stands for: the latest one that is not in the future.
-- ----------------------------------------------------------------------
create or replace function pgq._full_txid(i_xid xid)
returns bigint as $$
declare
    next_txid bigint := txid_snapshot_xmax(txid_current_snapshot());
    res bigint := (next_txid & ~ 4294967295) + i_xid::text::bigint;
begin
    return case when res > next_txid then res - 4294967296 else res end;
end;
$$ language plpgsql volatile set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._close_era(1)
--
--      Make a queue that was restored from a dump of another server go on here: its ticks and events get new numbers,
--      lower than any that this server gives from now on. What matters is kept: which events lie between which ticks. Tick
--      number k from the oldest sees all below k, and the events that it was the first to see get k - 1. Events that
--      no tick has seen yet come after the last. Events that were written here since are told by their own row: it is
--      not older than their transaction, and that one is younger than the restore.
--
--      If there are more ticks than numbers, those that no consumer stands at are deleted, oldest first.
--
-- Parameters:
--      i_queue_id  - the queue
-- Returns:
--      nothing
-- Tables:
--      update: pgq.tick, pgq.queue, event tables of the queue
-- Locks:
--      pgq.tick: ACCESS EXCLUSIVE, for up to 10 s: who has asked for a batch reads it first
-- Raises:
--      lock_not_available - a consumer has been at work all the time; the next tick tries again
--      program_limit_exceeded - consumers stand at more ticks than there are numbers
-- ----------------------------------------------------------------------
create or replace function pgq._close_era(i_queue_id integer)
returns void as $$
declare
    q record;
    restored_by bigint;
    old_timeout text := current_setting('lock_timeout');
begin
    perform set_config('lock_timeout', '10s', true);
    lock table pgq.tick in access exclusive mode;
    perform set_config('lock_timeout', old_timeout, true);
    if not pgq._is_other_era(i_queue_id) then
        return;
    end if;
    select * into q from pgq.queue where queue_id = i_queue_id for update;
    select max(pgq._full_txid(t.xmin)) into restored_by from pgq.tick t where t.tick_queue = i_queue_id;
    perform pgq._thin_ticks(i_queue_id, q.queue_name, least(restored_by, 1000000)::integer - 10);

    create temp table pgq_era on commit drop as
        select tick_id, tick_snapshot as snapshot, tick_part_snapshot as part_snapshot, tick_part_end as part_end,
               txid_snapshot_xmax(coalesce(tick_part_snapshot, tick_snapshot)) as upper,
               2 + row_number() over (order by tick_id) as nr
          from pgq.tick where tick_queue = i_queue_id;
    create index on pg_temp.pgq_era (nr);
    for i in 0 .. q.queue_ntables - 1 loop
        perform pgq._renumber_events(pgq.quote_fqname(q.queue_data_pfx || '_' || i), restored_by);
    end loop;
    update pgq.queue
       set queue_switch_step1 = (select 3 + count(*) from pg_temp.pgq_era where upper < q.queue_switch_step1),
           queue_switch_step2 = case when q.queue_switch_step2 is not null then (
               select 2 + count(*) from pg_temp.pgq_era
                where txid_snapshot_xmin(snapshot) <= q.queue_switch_step2) end
     where queue_id = i_queue_id;
    update pgq.tick t
       set tick_snapshot = format('%1$s:%1$s:', e.nr)::txid_snapshot, tick_part_snapshot = null,
           tick_part_end = null
      from pg_temp.pgq_era e
     where t.tick_queue = i_queue_id and t.tick_id = e.tick_id;
    drop table pg_temp.pgq_era;
    raise log 'pgq: queue %: numbers of another server are replaced, from a dump that transaction % has restored',
        q.queue_name, restored_by;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._thin_ticks(3)
--
--      Delete the oldest ticks that no consumer stands at, until at most so many are left.
-- ----------------------------------------------------------------------
create or replace function pgq._thin_ticks(i_queue_id integer, i_queue_name text, i_limit integer)
returns void as $$
declare
    excess bigint;
    deleted bigint;
begin
    select count(*) - i_limit into excess from pgq.tick where tick_queue = i_queue_id;
    if excess <= 0 then
        return;
    end if;
    delete from pgq.tick
     where tick_queue = i_queue_id and tick_id in (
           select t.tick_id
             from pgq.tick t
            where t.tick_queue = i_queue_id
              and t.tick_id < (select max(m.tick_id) from pgq.tick m where m.tick_queue = i_queue_id)
              and not exists (select 1 from pgq.subscription s where s.sub_queue = i_queue_id
                                 and t.tick_id in (s.sub_last_tick, s.sub_next_tick))
            order by t.tick_id limit excess);
    get diagnostics deleted = row_count;
    if deleted < excess then
        raise exception 'queue % was restored from another server: its consumers stand at more ticks than this one has '
            'transaction numbers', i_queue_name using errcode = 'program_limit_exceeded',
            hint = format('Use up %s transaction numbers, by a loop of single transactions.', excess - deleted);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._renumber_events(2)
--
--      Give the events of a table that were restored the numbers of the ticks in pg_temp.pgq_era.
-- ----------------------------------------------------------------------
create or replace function pgq._renumber_events(i_table text, i_restored_by bigint)
returns void as $$
begin
    execute format($sql$
        update %1$s e
           set ev_txid = coalesce((
               select r.nr - 1 from pg_temp.pgq_era r
                where r.upper > e.ev_txid
                  and (txid_visible_in_snapshot(e.ev_txid, r.snapshot) or e.ev_id <= r.part_end
                       and txid_visible_in_snapshot(e.ev_txid, r.part_snapshot))
                order by r.nr limit 1), (select max(nr) from pg_temp.pgq_era))
         where not (e.ev_txid > $1 and pgq._full_txid(e.xmin) >= e.ev_txid)$sql$, i_table)
      using i_restored_by;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
