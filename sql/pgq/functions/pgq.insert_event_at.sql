-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_event_at(8)
--
--      Append an event to a queue at a later time. Until then it waits in the retry queue; at that time the ticker
--      daemon puts it into the queue (it looks every retry_period), and every consumer gets it.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_time              - when; a time that has passed: now. It becomes the time of the event.
--      i_type, i_data, i_extra1..4 - the event
-- Returns:
--      the event's id
-- Tables:
--      select: pgq.queue
--      insert: pgq.retry_queue, or the event table
-- Locks:
--      none
-- Raises:
--      null_value_not_allowed - no time
--      undefined_object - no such queue
--      object_not_in_prerequisite_state - Insert into queue disallowed
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event_at(
    i_queue_name text, i_time timestamptz, i_type text, i_data text, i_extra1 text, i_extra2 text, i_extra3 text,
    i_extra4 text)
returns bigint as $$
declare
    q record;
    res bigint;
begin
    if i_time is null then
        raise exception 'time of the event must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    select queue_id, queue_event_seq, queue_disable_insert into q from pgq.queue where queue_name = i_queue_name;
    if not found then
        raise exception 'No such queue' using errcode = 'undefined_object',
            detail = format('Queue: %s.', coalesce(i_queue_name, 'NULL'));
    end if;
    if q.queue_disable_insert and current_setting('session_replication_role') <> 'replica' then
        raise exception 'Insert into queue disallowed' using errcode = 'object_not_in_prerequisite_state';
    end if;
    if i_time <= now() then
        return pgq.insert_event_raw(i_queue_name, null, i_time, null, null, i_type, i_data, i_extra1, i_extra2,
                                    i_extra3, i_extra4);
    end if;
    res := nextval(pgq.quote_fqname(q.queue_event_seq)::regclass);
    insert into pgq.retry_queue (
           ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3,
           ev_extra4)
    values (i_time, q.queue_id, res, i_time, - q.queue_id, i_type, i_data, i_extra1, i_extra2, i_extra3, i_extra4);
    return res;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.insert_event_at(4)
--
--      The same with extra fields NULL.
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event_at(i_queue_name text, i_time timestamptz, i_type text, i_data text)
returns bigint as $$
begin
    return pgq.insert_event_at(i_queue_name, i_time, i_type, i_data, null, null, null, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
