-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.register_keyed(3)
--
--      Register a consumer whose work is parted by key among workers. Each worker has a position of its own, as
--      consumer NAME#1/4, NAME#2/4 ...; all have the sub_id of the consumer, so that retried events reach whoever
--      works for it. Workers that are new start where the furthest behind of the consumer's workers is, of another
--      number of them if need be, or at the consumer itself.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_consumer_name - name of the consumer
--      i_workers       - how many workers
-- Returns:
--      number of workers registered, 0 if all were
-- Tables:
--      select, insert, update: pgq.subscription, pgq.consumer
-- Locks:
--      subscription of the consumer: FOR UPDATE
-- Raises:
--      invalid_parameter_value - no such number of workers
--      as pgq.register_consumer
-- ----------------------------------------------------------------------
create or replace function pgq.register_keyed(i_queue_name text, i_consumer_name text, i_workers integer)
returns integer as $$
declare
    main record;
    start_tick bigint;
    worker text;
    res integer := 0;
begin
    if i_workers is null or i_workers not between 1 and 1000 then
        raise exception 'number of workers must be 1 to 1000: %', coalesce(i_workers::text, 'NULL')
            using errcode = 'invalid_parameter_value';
    end if;
    perform pgq.register_consumer(i_queue_name, i_consumer_name);
    select s.sub_queue, s.sub_id, s.sub_last_tick into main
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = i_consumer_name
       for update of s;
    select coalesce(min(s.sub_last_tick), main.sub_last_tick) into start_tick
      from pgq.subscription s
      join pgq.consumer c on c.co_id = s.sub_consumer
     where s.sub_queue = main.sub_queue and s.sub_id = main.sub_id and starts_with(c.co_name, i_consumer_name || '#');
    for i in 1 .. i_workers loop
        worker := format('%s#%s/%s', i_consumer_name, i, i_workers);
        if pgq.register_consumer(i_queue_name, worker) = 1 then
            update pgq.subscription s set sub_id = main.sub_id, sub_last_tick = start_tick
              from pgq.consumer c
             where c.co_id = s.sub_consumer and c.co_name = worker and s.sub_queue = main.sub_queue;
            res := res + 1;
        end if;
    end loop;
    return res;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.unregister_keyed(3)
--
--      Forget the workers of a consumer: those of a number of workers that is no longer used.
--
-- Returns:
--      number of workers forgotten
-- ----------------------------------------------------------------------
create or replace function pgq.unregister_keyed(i_queue_name text, i_consumer_name text, i_workers integer)
returns integer as $$
declare
    removed integer[];
begin
    with gone as (
        delete from pgq.subscription s using pgq.queue q, pgq.consumer c
         where q.queue_id = s.sub_queue and q.queue_name = i_queue_name and c.co_id = s.sub_consumer
           and c.co_name in (select format('%s#%s/%s', i_consumer_name, i, i_workers)
                               from generate_series(1, i_workers) as i)
        returning s.sub_consumer)
    select coalesce(array_agg(sub_consumer), '{}') into removed from gone;
    delete from pgq.consumer c
     where c.co_id = any (removed)
       and not exists (select 1 from pgq.subscription s where s.sub_consumer = c.co_id);
    return cardinality(removed);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.move_consumer(4)
--
--      Move a consumer that has no open batch from one tick to another, in the transaction of the work done between
--      the two. Nothing is done if it is not where the caller believes it to be.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_consumer_name - name of the consumer
--      i_from, i_to    - the ticks
-- Returns:
--      1 - moved
--      0 - it is elsewhere, or has an open batch: what was done has to be rolled back
-- Tables:
--      update: pgq.subscription
-- Locks:
--      subscription row: FOR NO KEY UPDATE, so a second caller waits for the first
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.move_consumer(i_queue_name text, i_consumer_name text, i_from bigint, i_to bigint)
returns integer as $$
begin
    update pgq.subscription s set sub_last_tick = i_to, sub_active = now(), sub_version = s.sub_version + 1
      from (select sub.ctid as tid, sub.sub_version
              from pgq.queue q
             cross join pgq.consumer c
             cross join lateral (
                   select sn.ctid, sn.sub_queue, sn.sub_version
                     from pgq.subscription sn
                    where sn.sub_queue = q.queue_id and sn.sub_consumer = c.co_id
                    order by sn.sub_version desc limit 1) sub
             where q.queue_name = i_queue_name and c.co_name = i_consumer_name
               and exists (select 1 from pgq.tick t where t.tick_queue = sub.sub_queue and t.tick_id = i_to)) now
     where s.ctid = now.tid and s.sub_version = now.sub_version
       and s.sub_last_tick = i_from and s.sub_batch is null;
    return found::integer;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
