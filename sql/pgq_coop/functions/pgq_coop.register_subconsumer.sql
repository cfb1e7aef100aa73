-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop.register_subconsumer(3)
--
--      Register a subconsumer, and its main consumer where it is missing: that starts at the last tick.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the main consumer
--      i_subconsumer_name  - name of the subconsumer within the group
-- Returns:
--      1 - registered
--      0 - it was registered already
-- Tables:
--      insert, update: pgq.subscription, pgq.consumer
-- Locks:
--      subscription of the main consumer: FOR UPDATE
-- Raises:
--      as pgq_coop._lock_main, pgq_coop._register_sub
-- ----------------------------------------------------------------------
create or replace function pgq_coop.register_subconsumer(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text)
returns integer as $$
declare
    main record;
    sub record;
begin
    select * into main from pgq_coop._lock_main(i_queue_name, i_consumer_name, true);
    select * into sub
      from pgq_coop._register_sub(i_queue_name, main.queue_id, main.sub_id, i_consumer_name, i_subconsumer_name);
    return sub.is_new::integer;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
