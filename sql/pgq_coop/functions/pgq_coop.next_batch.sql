-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop.next_batch(4)
--
--      As pgq_coop.next_batch_custom, without wishes: the batch ends at the next tick.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the main consumer
--      i_subconsumer_name  - name of the subconsumer within the group
--      i_dead_interval     - see pgq_coop.next_batch_custom
-- Returns:
--      id of the batch, NULL if there is none
-- Tables:
--      as pgq_coop.next_batch_custom
-- Locks:
--      as pgq_coop.next_batch_custom
-- Raises:
--      as pgq_coop.next_batch_custom
-- ----------------------------------------------------------------------
create or replace function pgq_coop.next_batch(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_dead_interval interval)
returns bigint as $$
begin
    return pgq_coop.next_batch_custom(i_queue_name, i_consumer_name, i_subconsumer_name,
                                      null, null, null, i_dead_interval);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq_coop.next_batch(3)
--
--      The same without take-over.
-- ----------------------------------------------------------------------
create or replace function pgq_coop.next_batch(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text)
returns bigint as $$
begin
    return pgq_coop.next_batch_custom(i_queue_name, i_consumer_name, i_subconsumer_name, null, null, null, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
