-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_event_raw(11)
--
--      Append an event with every field given, as for events that are retried. The event sequence moves on also
--      when an id is given: that is how the ticker learns of the event.
--
-- Parameters:
--      queue_name          - name of the queue
--      ev_id               - id, NULL: the next one
--      ev_time             - time, NULL: start of the transaction
--      ev_owner            - sub_id of the only consumer to see it, NULL: all
--      ev_retry            - how often it was retried
--      ev_type .. ev_extra4 - as for pgq.insert_event
-- Returns:
--      the event's id
-- Tables:
--      insert: the current event table of the queue, with the rights of the caller
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      as pgq.insert_event; insufficient_privilege - no right to insert into the event table
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event_raw(
    queue_name text, ev_id bigint, ev_time timestamptz, ev_owner integer, ev_retry integer, ev_type text,
    ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns bigint as '$libdir/pgq', 'pgq_insert_event_raw' language c;
