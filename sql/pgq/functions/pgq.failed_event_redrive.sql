-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_redrive(6)
--
--      Put dead letters back into the queue, for their consumer alone, as new events with as many tries as any.
--      Conditions that are NULL do not count: without any, all dead letters of the consumer.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_consumer_name - name of the consumer
--      i_event_ids     - these events
--      i_type          - whose type is like this (pattern of LIKE)
--      i_reason        - whose reason is like this (pattern of LIKE)
--      i_failed_before - that failed before
-- Returns:
--      number of events put back
-- Tables:
--      select: pgq.queue, pgq.consumer, pgq.subscription
--      delete: pgq.failed_queue
--      insert: event tables
-- Locks:
--      rows of pgq.failed_queue: FOR UPDATE; two callers do not put back the same
-- Raises:
--      undefined_object - the consumer is not registered
--      as pgq.insert_event_raw
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_redrive(
    i_queue_name text, i_consumer_name text, i_event_ids bigint[] default null, i_type text default null,
    i_reason text default null, i_failed_before timestamptz default null)
returns bigint as $$
declare
    owner_id integer;
begin
    owner_id := pgq._owner_of(i_queue_name, i_consumer_name);
    return (
        select count(pgq.insert_event_raw(i_queue_name, null, f.ev_time, owner_id, 0, f.ev_type, f.ev_data, f.ev_extra1,
                                          f.ev_extra2, f.ev_extra3, f.ev_extra4))
          from pgq._take_failed(i_queue_name, i_consumer_name, i_event_ids, i_type, i_reason, i_failed_before) f);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_purge(6)
--
--      Forget dead letters. The parameters are those of pgq.failed_event_redrive.
--
-- Returns:
--      number of events forgotten
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_purge(
    i_queue_name text, i_consumer_name text, i_event_ids bigint[] default null, i_type text default null,
    i_reason text default null, i_failed_before timestamptz default null)
returns bigint as $$
begin
    return (
        select count(*)
          from pgq._take_failed(i_queue_name, i_consumer_name, i_event_ids, i_type, i_reason, i_failed_before));
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_retry(3)
--
--      Put one dead letter back into the queue. Known from PgQ 2.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_name - name of the consumer
--      x_event_id      - the event
-- Returns:
--      its new id
-- Raises:
--      undefined_object - no such dead letter
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_retry(x_queue_name text, x_consumer_name text, x_event_id bigint)
returns bigint as $$
declare
    owner_id integer;
    f record;
begin
    owner_id := pgq._owner_of(x_queue_name, x_consumer_name);
    select * into f from pgq._take_failed(x_queue_name, x_consumer_name, array[x_event_id], null, null, null);
    if not found then
        raise exception 'event not found' using errcode = 'undefined_object',
            detail = format('Dead letter %s of consumer %s, queue %s.', x_event_id, x_consumer_name, x_queue_name);
    end if;
    return pgq.insert_event_raw(x_queue_name, null, f.ev_time, owner_id, 0, f.ev_type, f.ev_data, f.ev_extra1,
                                f.ev_extra2, f.ev_extra3, f.ev_extra4);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_delete(3)
--
--      Forget one dead letter. Known from PgQ 2.
--
-- Returns:
--      1
-- Raises:
--      undefined_object - no such dead letter
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_delete(x_queue_name text, x_consumer_name text, x_event_id bigint)
returns integer as $$
begin
    if pgq.failed_event_purge(x_queue_name, x_consumer_name, array[x_event_id]) = 0 then
        raise exception 'event not found' using errcode = 'undefined_object',
            detail = format('Dead letter %s of consumer %s, queue %s.', x_event_id, x_consumer_name, x_queue_name);
    end if;
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._take_failed(6)
--
--      Delete dead letters and return them, by event id.
-- ----------------------------------------------------------------------
create or replace function pgq._take_failed(
    i_queue_name text, i_consumer_name text, i_event_ids bigint[], i_type text, i_reason text,
    i_failed_before timestamptz)
returns setof pgq.failed_queue as $$
    with gone as (
        delete from pgq.failed_queue
         where ev_queue_name = i_queue_name and ev_consumer_name = i_consumer_name
           and (i_event_ids is null or ev_id = any (i_event_ids))
           and (i_type is null or ev_type like i_type)
           and (i_reason is null or ev_failed_reason like i_reason)
           and (i_failed_before is null or ev_failed_time < i_failed_before)
        returning *)
    select * from gone order by ev_id
$$ language sql;

-- ----------------------------------------------------------------------
-- Function: pgq._owner_of(2)
--
--      Return the number under which events belong to a consumer alone.
-- ----------------------------------------------------------------------
create or replace function pgq._owner_of(i_queue_name text, i_consumer_name text)
returns integer as $$
declare
    res integer;
begin
    select s.sub_id into res
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = i_consumer_name;
    if not found then
        raise exception 'consumer not registered: %/%', coalesce(i_queue_name, 'NULL'),
            coalesce(i_consumer_name, 'NULL') using errcode = 'undefined_object';
    end if;
    return res;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
