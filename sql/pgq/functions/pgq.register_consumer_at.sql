-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.register_consumer_at(3)
--
--      Subscribe a consumer to a queue at a tick, or move one there, back to read events again, or on to leave some out;
--      moving gives up its open batch. What there is to choose from: pgq.replay_range.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_name - name of the consumer
--      x_tick_pos      - tick after which it shall see events; NULL: the last one, or where it is already
-- Returns:
--      1 - registered
--      0 - it was registered already
-- Tables:
--      select: pgq.queue, pgq.tick
--      insert, update: pgq.consumer, pgq.subscription
-- Locks:
--      queue row: FOR KEY SHARE, so that no rotation takes the tick away meanwhile; consumer row: FOR UPDATE
-- Raises:
--      null_value_not_allowed - no consumer name
--      undefined_object - no such queue or tick
--      object_not_in_prerequisite_state - the queue has no tick yet
-- ----------------------------------------------------------------------
create or replace function pgq.register_consumer_at(x_queue_name text, x_consumer_name text, x_tick_pos bigint)
returns integer as $$
declare
    the_queue_id integer;
    the_consumer_id integer;
    start_tick bigint := x_tick_pos;
begin
    if x_consumer_name is null then
        raise exception 'consumer name must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    select queue_id into the_queue_id from pgq.queue where queue_name = x_queue_name for key share;
    if not found then
        raise exception 'event queue not created yet: %', coalesce(x_queue_name, 'NULL')
            using errcode = 'undefined_object', hint = 'Create it: select pgq.create_queue(queue).';
    end if;
    if x_tick_pos is not null then
        perform 1 from pgq.tick where tick_queue = the_queue_id and tick_id = x_tick_pos;
        if not found then
            raise exception 'cannot reposition consumer % of queue %: tick % not found',
                x_consumer_name, x_queue_name, x_tick_pos using errcode = 'undefined_object',
                hint = pgq._replay_hint(the_queue_id);
        end if;
    end if;

    the_consumer_id := pgq._get_consumer(x_consumer_name);
    perform 1 from pgq.subscription where sub_queue = the_queue_id and sub_consumer = the_consumer_id;
    if found then
        if x_tick_pos is not null then
            update pgq.subscription
               set sub_last_tick = x_tick_pos, sub_batch = null, sub_next_tick = null, sub_active = now(),
                   sub_detached = null
             where sub_queue = the_queue_id and sub_consumer = the_consumer_id;
        end if;
        return 0;
    end if;

    if start_tick is null then
        select tick_id into start_tick
          from pgq.tick where tick_queue = the_queue_id order by tick_id desc limit 1;
        if not found then
            raise exception 'no ticks for queue %', x_queue_name
                using errcode = 'object_not_in_prerequisite_state',
                hint = 'Run the ticker: select pgq.ticker(queue).';
        end if;
    end if;
    insert into pgq.subscription (sub_queue, sub_consumer, sub_last_tick)
    values (the_queue_id, the_consumer_id, start_tick);
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.register_consumer_at_time(3)
--
--      The same, at a time: it sees all events committed since, and a few from just before, as a tick is its place.
--
-- Raises:
--      as pgq.register_consumer_at
--      invalid_parameter_value - the time is NULL, or events of that time have been rotated away
-- ----------------------------------------------------------------------
create or replace function pgq.register_consumer_at_time(
    i_queue_name text, i_consumer_name text, i_time timestamptz)
returns integer as $$
declare
    the_queue_id integer;
    start_tick bigint;
begin
    select queue_id into the_queue_id from pgq.queue where queue_name = i_queue_name for key share;
    if the_queue_id is not null then
        -- A tick's snapshot is taken a little after its time: that of the one before is surely older.
        select coalesce(before.tick_id, t.tick_id) into start_tick
          from (select tick_id, tick_time from pgq.tick
                 where tick_queue = the_queue_id and tick_time <= i_time order by tick_id desc limit 1) t
          left join lateral (
               select b.tick_id from pgq.tick b
                where b.tick_queue = the_queue_id and b.tick_id < t.tick_id and b.tick_time < t.tick_time
                order by b.tick_id desc limit 1) before on true;
        if not found then
            raise exception 'cannot move consumer % of queue % to %: events of that time are not there any more',
                i_consumer_name, i_queue_name, coalesce(i_time::text, 'NULL') using errcode = 'invalid_parameter_value',
                hint = pgq._replay_hint(the_queue_id);
        end if;
    end if;
    return pgq.register_consumer_at(i_queue_name, i_consumer_name, start_tick);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.register_consumer_at_event(3)
--
--      The same, at an event: its first batch has that event, and all that were committed with it or later.
--
-- Raises:
--      as pgq.register_consumer_at
--      invalid_parameter_value - there is no such event, or it has been rotated away
-- ----------------------------------------------------------------------
create or replace function pgq.register_consumer_at_event(i_queue_name text, i_consumer_name text, i_event_id bigint)
returns integer as $$
declare
    q record;
    event_txid bigint;
    start_tick bigint;
begin
    select queue_id, queue_data_pfx into q from pgq.queue where queue_name = i_queue_name for key share;
    if found then
        execute format('select min(ev_txid) from %s where ev_id = $1', pgq.quote_fqname(q.queue_data_pfx))
           into event_txid using i_event_id;
        select max(tick_id) into start_tick
          from pgq.tick
         where tick_queue = q.queue_id and not txid_visible_in_snapshot(event_txid, tick_snapshot)
           and coalesce(i_event_id > tick_part_end or not txid_visible_in_snapshot(event_txid, tick_part_snapshot), true);
        if start_tick is null then
            raise exception 'cannot move consumer % of queue % to event %: it is not there, or not any more',
                i_consumer_name, i_queue_name, coalesce(i_event_id::text, 'NULL')
                using errcode = 'invalid_parameter_value', hint = pgq._replay_hint(q.queue_id);
        end if;
    end if;
    return pgq.register_consumer_at(i_queue_name, i_consumer_name, start_tick);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.replay_range(1)
--
--      Say which ticks of a queue a consumer can be moved to: all that comes after these is there.
--
-- Returns:
--      one row: oldest and newest tick, when they were made, and the event numbers given until then; all NULL if there
--      is no such queue
-- ----------------------------------------------------------------------
create or replace function pgq.replay_range(
    i_queue_name text, out first_tick bigint, out first_time timestamptz, out first_event_seq bigint,
    out last_tick bigint, out last_time timestamptz, out last_event_seq bigint)
as $$
begin
    select f.tick_id, f.tick_time, f.tick_event_seq, l.tick_id, l.tick_time, l.tick_event_seq
      into first_tick, first_time, first_event_seq, last_tick, last_time, last_event_seq
      from pgq.queue q
     cross join lateral (select * from pgq.tick where tick_queue = q.queue_id order by tick_id limit 1) f
     cross join lateral (select * from pgq.tick where tick_queue = q.queue_id order by tick_id desc limit 1) l
     where q.queue_name = i_queue_name;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._replay_hint(1)
--
--      Say the same as a sentence.
-- ----------------------------------------------------------------------
create or replace function pgq._replay_hint(i_queue_id integer)
returns text as $$
begin
    return (
        select format('There are ticks from %s (%s, event %s) to %s (%s, event %s).', r.first_tick, r.first_time,
                      r.first_event_seq, r.last_tick, r.last_time, r.last_event_seq)
          from pgq.queue q, pgq.replay_range(q.queue_name) r where q.queue_id = i_queue_id);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
