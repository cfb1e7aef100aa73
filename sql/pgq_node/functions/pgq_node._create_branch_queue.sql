-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._create_branch_queue(2)
--
--      Create the queue of a branch: only its worker writes into it, with the events and ticks of the root.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_global_watermark  - tick at which it starts
-- Returns:
--      nothing
-- Tables:
--      create: by pgq.create_queue, pgq.ticker, pgq.register_consumer_at
--      update: pgq.queue
-- Locks:
--      none of its own
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node._create_branch_queue(i_queue_name text, i_global_watermark bigint)
returns void as $$
begin
    perform pgq.create_queue(i_queue_name);
    update pgq.queue set queue_external_ticker = true, queue_disable_insert = true
     where queue_name = i_queue_name;
    if not pgq_node._tick_exists(i_queue_name, i_global_watermark) then
        perform pgq.ticker(i_queue_name, i_global_watermark, now(), 1);
    end if;
    perform pgq.register_consumer_at(i_queue_name, '.global_watermark', i_global_watermark);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
