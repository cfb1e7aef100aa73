-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_event(7)
--
--      Append an event to a queue, as part of the current transaction. Writes to the event table by itself, so the
--      right to execute it is all that a producer needs; that is why it is not SECURITY DEFINER. Where the event
--      table has triggers, constraints or the like, it runs an INSERT as the owner of the table.
--      Triggers call this function by name and signature: it may be replaced.
--
-- Parameters:
--      queue_name          - name of the queue
--      ev_type, ev_data    - what the event is, any text or NULL
--      ev_extra1..4        - more of the same
-- Returns:
--      the event's id
-- Tables:
--      insert: the current event table of the queue
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      null_value_not_allowed - no queue name
--      undefined_object - no such queue
--      object_not_in_prerequisite_state - Insert into queue disallowed
--      program_limit_exceeded - more events than queue_per_tx_limit
--      read_only_sql_transaction, active_sql_transaction - no writing here
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event(
    queue_name text, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text)
returns bigint as '$libdir/pgq', 'pgq_insert_event' language c;

-- ----------------------------------------------------------------------
-- Function: pgq.insert_event(3)
--
--      The same with extra fields NULL. Calls the form above, or what has replaced it: the caller needs the right
--      to execute both.
-- ----------------------------------------------------------------------
create or replace function pgq.insert_event(queue_name text, ev_type text, ev_data text)
returns bigint as '$libdir/pgq', 'pgq_insert_event3' language c;
