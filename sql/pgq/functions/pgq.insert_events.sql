-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.insert_events(7)
--
--      Append many events to a queue, in the order of the arrays: as one pgq.insert_event for each, at a fraction of the
--      cost. Goes through pgq.insert_event(7) where that has been replaced; the caller needs the right to execute it.
--      Faster still for programs that have a stream of rows: COPY into pgq.current_event_table(queue), see there.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_types, i_datas    - a type and a text for each event; NULL in place of an array: NULL for each
--      i_extra1..4         - more of the same
-- Returns:
--      number of events
-- Tables:
--      insert: the current event table of the queue
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      as pgq.insert_event; array_subscript_error - arrays of different lengths, or of more than one dimension
-- ----------------------------------------------------------------------
create or replace function pgq.insert_events(
    i_queue_name text, i_types text[], i_datas text[], i_extra1 text[] default null, i_extra2 text[] default null,
    i_extra3 text[] default null, i_extra4 text[] default null)
returns bigint as '$libdir/pgq', 'pgq_insert_events' language c;
