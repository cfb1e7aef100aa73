-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.finish_batch(1)
--
--      Close a batch: the consumer moves on to the tick that ended it. A subconsumer of pgq_coop has no position
--      while it has no batch: that of the group moved on when the batch was opened.
--
-- Parameters:
--      x_batch_id  - id of the batch
-- Returns:
--      1 - closed
--      0 - no such batch, with a WARNING: it was closed before, or given up
-- Tables:
--      update: pgq.subscription
-- Locks:
--      subscription row: FOR NO KEY UPDATE
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.finish_batch(x_batch_id bigint)
returns integer as $$
begin
    update pgq.subscription
       set sub_last_tick = case
               -- Most names have no dot: then that need not be asked, a tenth of the whole.
               when (select strpos(c.co_name, '.') from pgq.consumer c where c.co_id = sub_consumer) > 0
                    and pgq._is_subconsumer(sub_queue, sub_consumer) then null
               else sub_next_tick end,
           sub_next_tick = null, sub_batch = null, sub_active = now(), sub_version = sub_version + 1
     where sub_batch = x_batch_id;
    if not found then
        raise warning 'finish_batch: batch % not found', x_batch_id;
        return 0;
    end if;
    return 1;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
