-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.register_consumer(2)
--
--      Subscribe a consumer to a queue: it will see the events that commit after the last tick.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_id   - name of the consumer
-- Returns:
--      1 - registered
--      0 - it is registered already
-- Tables:
--      as pgq.register_consumer_at
-- Locks:
--      as pgq.register_consumer_at
-- Raises:
--      as pgq.register_consumer_at
-- ----------------------------------------------------------------------
create or replace function pgq.register_consumer(x_queue_name text, x_consumer_id text)
returns integer as $$
begin
    return pgq.register_consumer_at(x_queue_name, x_consumer_id, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
