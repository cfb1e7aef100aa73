-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.fail_events(6)
--
--      Take events at fault out of an open batch, so that the rest of it can be finished. Each is tried again later,
--      after pauses of i_first, 2 * i_first, 4 * i_first ... up to i_longest, each give or take a fifth; after its
--      last try it becomes a dead letter in pgq.failed_queue.
--
-- Parameters:
--      i_batch_id      - id of the batch
--      i_event_ids     - the events
--      i_reasons       - why each of them failed
--      i_max_tries     - how often an event is tried in all; 1: it is dead at once
--      i_first         - pause after the first try
--      i_longest       - longest pause
-- Returns:
--      event_id, tries - the event, and how often it was tried by now
--      retry_after     - when it is tried again; NULL: it is a dead letter
-- Tables:
--      select: pgq.subscription, pgq.queue, pgq.consumer, event tables
--      insert: pgq.retry_queue, pgq.failed_queue
-- Locks:
--      none
-- Raises:
--      undefined_object - no such batch, or an event is not in it
--      invalid_parameter_value - numbers or pauses make no sense
-- ----------------------------------------------------------------------
create or replace function pgq.fail_events(
    i_batch_id bigint, i_event_ids bigint[], i_reasons text[], i_max_tries integer, i_first interval,
    i_longest interval, out event_id bigint, out tries integer, out retry_after timestamptz)
returns setof record as $$
declare
    s record;
    ev record;
    found_events integer := 0;
begin
    if i_max_tries < 1 or i_first < interval '0' or i_longest < interval '0' then
        raise exception 'tries must be at least 1, pauses not negative: % tries, % to %',
            i_max_tries, i_first, i_longest using errcode = 'invalid_parameter_value';
    end if;
    select * into s from pgq._batch_owner(i_batch_id);
    for ev in execute format(
        'select ev.*, r.reason, coalesce(ev.ev_retry, 0) + 1 as done'
        '  from (%s) ev'
        '  join unnest($1, $2) as r (id, reason) on r.id = ev.ev_id order by ev.ev_id', pgq.batch_event_sql(i_batch_id))
        using i_event_ids, i_reasons
    loop
        found_events := found_events + 1;
        event_id := ev.ev_id;
        tries := ev.done;
        retry_after := null;
        if tries < i_max_tries then
            retry_after := clock_timestamp()
                + least(i_first * power(2, least(tries - 1, 30)), i_longest) * (0.8 + 0.4 * random());
            insert into pgq.retry_queue (
                   ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data, ev_extra1,
                   ev_extra2, ev_extra3, ev_extra4)
            values (retry_after, s.queue_id, ev.ev_id, ev.ev_time, s.sub_id, tries, ev.ev_type, ev.ev_data,
                    ev.ev_extra1, ev.ev_extra2, ev.ev_extra3, ev.ev_extra4)
                on conflict do nothing;
        else
            insert into pgq.failed_queue
            values (ev.reason, clock_timestamp(), ev.ev_id, ev.ev_time, ev.ev_txid, s.sub_id, ev.ev_retry, ev.ev_type,
                    ev.ev_data, ev.ev_extra1, ev.ev_extra2, ev.ev_extra3, ev.ev_extra4, s.queue_name,
                    s.consumer_name, tries)
                on conflict do nothing;
        end if;
        return next;
    end loop;
    if found_events < cardinality(i_event_ids) then
        raise exception 'event not found' using errcode = 'undefined_object',
            detail = format('Batch: %s, events: %s.', i_batch_id, i_event_ids);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._batch_owner(1)
--
--      Name queue and consumer of an open batch. Where several share a sub_id (subconsumers of pgq_coop, workers of a
--      keyed consumer), the consumer is the one whose name begins all the others.
-- ----------------------------------------------------------------------
create or replace function pgq._batch_owner(
    i_batch_id bigint, out queue_id integer, out queue_name text, out sub_id integer, out consumer_name text)
as $$
begin
    select q.queue_id, q.queue_name, s.sub_id, c.co_name into queue_id, queue_name, sub_id, consumer_name
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.subscription m on m.sub_queue = s.sub_queue and m.sub_id = s.sub_id
      join pgq.consumer c on c.co_id = m.sub_consumer
     where s.sub_batch = i_batch_id
     order by length(c.co_name) limit 1;
    if not found then
        raise exception 'batch not found' using errcode = 'undefined_object',
            detail = format('Batch: %s.', coalesce(i_batch_id::text, 'NULL'));
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
