-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.event_retry_raw(12)
--
--      Put an event straight into the retry queue of a consumer.
--
-- Parameters:
--      x_queue             - name of the queue
--      x_consumer          - name of the consumer
--      x_retry_after       - when it shall be given
--      x_ev_id             - id, NULL: the next one of the queue
--      x_ev_time           - time of the event
--      x_ev_retry          - how often it was retried
--      x_ev_type .. x_ev_extra4 - the event
-- Returns:
--      id of the event
-- Tables:
--      select: pgq.queue, pgq.consumer, pgq.subscription
--      insert: pgq.retry_queue
-- Locks:
--      none
-- Raises:
--      undefined_object - the consumer is not subscribed
--      unique_violation - the event is there already
-- ----------------------------------------------------------------------
create or replace function pgq.event_retry_raw(
    x_queue text, x_consumer text, x_retry_after timestamptz, x_ev_id bigint, x_ev_time timestamptz,
    x_ev_retry integer, x_ev_type text, x_ev_data text, x_ev_extra1 text, x_ev_extra2 text, x_ev_extra3 text,
    x_ev_extra4 text)
returns bigint as $$
declare
    s record;
    event_id bigint := x_ev_id;
begin
    select sub.sub_id, q.queue_id, q.queue_event_seq into s
      from pgq.queue q
      join pgq.subscription sub on sub.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = sub.sub_consumer
     where q.queue_name = x_queue and c.co_name = x_consumer;
    if not found then
        raise exception 'consumer not registered: %/%', coalesce(x_queue, 'NULL'), coalesce(x_consumer, 'NULL')
            using errcode = 'undefined_object';
    end if;

    if event_id is null then
        event_id := nextval(s.queue_event_seq::regclass);
    end if;
    insert into pgq.retry_queue (
           ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2,
           ev_extra3, ev_extra4)
    values (x_retry_after, s.queue_id, event_id, x_ev_time, s.sub_id, x_ev_retry, x_ev_type, x_ev_data,
            x_ev_extra1, x_ev_extra2, x_ev_extra3, x_ev_extra4);
    return event_id;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
