-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.ticker_wake(1)
--
--      Tell producers that the ticker is awake: they stop sending NOTIFY.
--
-- Parameters:
--      i_queue_ids     - queues, NULL: all
-- Returns:
--      number of queues for which the ticker was asleep
-- Tables:
--      select: pgq.queue
--      update: wake sequences
-- Locks:
--      none
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.ticker_wake(i_queue_ids integer[])
returns integer as $$
declare
    woken integer;
begin
    select count(setval(to_regclass(queue_wake_seq), 1)) into woken
      from pgq.queue
     where (i_queue_ids is null or queue_id = any (i_queue_ids))
       and pg_sequence_last_value(to_regclass(queue_wake_seq)) = 2;
    return woken;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
