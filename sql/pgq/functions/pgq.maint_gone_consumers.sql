-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_gone_consumers(0)
--
--      Detach the consumers that are gone from queues that want it so (gone_policy detach): rotation no longer waits for
--      them. One that comes back in time goes on where it was. If its events have been rotated away meanwhile, it gets
--      an error until somebody moves it (pgq.register_consumer_at, and others): nothing is left out silently.
--      Subconsumers of pgq_coop are removed; the events of their open batches wait in the retry queue.
--
-- Parameters:
--      none
-- Returns:
--      0
-- Tables:
--      select: as pgq.gone_consumers
--      update: pgq.subscription
--      insert: pgq.retry_queue
-- Locks:
--      subscription rows: FOR NO KEY UPDATE
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.maint_gone_consumers()
returns integer as $$
declare
    g record;
begin
    for g in
        select * from pgq.gone_consumers() where policy = 'detach' and detached is null
    loop
        perform pgq.unregister_consumer(g.queue_name, c.co_name)
           from pgq.subscription s
           join pgq.queue q on q.queue_id = s.sub_queue
           join pgq.consumer c on c.co_id = s.sub_consumer
          where q.queue_name = g.queue_name and s.sub_id = g.sub_id
            and pgq._is_subconsumer(s.sub_queue, s.sub_consumer);
        update pgq.subscription s set sub_detached = now()
          from pgq.queue q
         where q.queue_id = s.sub_queue and q.queue_name = g.queue_name and s.sub_id = g.sub_id;
        raise warning 'pgq: consumer % of queue % is detached at tick %: it has left events unread for %',
            g.consumer_name, g.queue_name, g.last_tick, g.unread_for;
    end loop;
    return 0;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.gone_consumers(0)
--
--      Name the consumers that are gone by the settings of their queues: for longer than gone_after there was something
--      to read, and they have neither opened nor closed a batch. Those who share a sub_id are one.
--
-- Parameters:
--      none
-- Returns:
--      a row for each. policy: what the queue wants; unread_for: how long it has had something to read; detached: since
--      when rotation does not wait for it
-- Tables:
--      select: pgq.queue, pgq.subscription, pgq.consumer, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.gone_consumers(
    out queue_name text, out consumer_name text, out sub_id integer, out policy text, out last_tick bigint,
    out last_seen interval, out unread_for interval, out detached timestamptz)
returns setof record as $$
begin
    return query
    select q.queue_name, c.co_name, g.sub_id, q.queue_gone_policy, g.tick_id, now() - g.active,
           now() - greatest(g.active, unread.tick_time), g.detached
      from pgq.queue q
     cross join lateral (
           select s.sub_id, min(s.sub_last_tick) as tick_id, max(s.sub_active) as active, max(s.sub_detached) as detached
             from pgq.subscription s where s.sub_queue = q.queue_id group by s.sub_id) g
     cross join lateral (
           select co.co_name
             from pgq.subscription m join pgq.consumer co on co.co_id = m.sub_consumer
            where m.sub_queue = q.queue_id and m.sub_id = g.sub_id order by length(co.co_name) limit 1) c
     cross join lateral (
           select t.tick_time
             from pgq.tick t where t.tick_queue = q.queue_id and t.tick_id > g.tick_id order by t.tick_id limit 1) unread
     where g.detached is not null
        or q.queue_gone_policy <> 'keep' and g.active < now() - q.queue_gone_after
           and unread.tick_time < now() - q.queue_gone_after
     order by 1, 2;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._attach_consumer(2)
--
--      Let a consumer that was detached go on, with those that share its sub_id, if its tick is still there.
-- ----------------------------------------------------------------------
create or replace function pgq._attach_consumer(i_queue_id integer, i_consumer_id integer)
returns void as $$
declare
    s record;
begin
    -- Rotation locks the row too: whoever comes second sees what the first has done.
    perform 1 from pgq.queue where queue_id = i_queue_id for key share;
    select sub.sub_id, sub.sub_last_tick, sub.sub_detached, q.queue_name, c.co_name, t.tick_id into s
      from pgq.subscription sub
      join pgq.queue q on q.queue_id = sub.sub_queue
      join pgq.consumer c on c.co_id = sub.sub_consumer
      left join pgq.tick t on t.tick_queue = sub.sub_queue and t.tick_id = sub.sub_last_tick
     where sub.sub_queue = i_queue_id and sub.sub_consumer = i_consumer_id;
    if s.tick_id is null then
        raise exception 'consumer % of queue % was detached at %: events after its tick % have been rotated away',
            s.co_name, s.queue_name, s.sub_detached, s.sub_last_tick using errcode = 'object_not_in_prerequisite_state',
            detail = pgq._replay_hint(i_queue_id),
            hint = 'Say where it shall go on: pgq.register_consumer_at(queue, consumer, tick).';
    end if;
    update pgq.subscription set sub_detached = null, sub_active = now()
     where sub_queue = i_queue_id and sub_id = s.sub_id and sub_detached is not null;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
