-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop.finish_batch(1)
--
--      Close the batch of a subconsumer. That of an ordinary consumer is closed as by pgq.finish_batch.
--
-- Parameters:
--      i_batch_id  - id of the batch
-- Returns:
--      1 - closed
--      0 - no such batch, with a WARNING: it was closed before, or somebody has taken it over
-- Tables:
--      update: pgq.subscription
-- Locks:
--      subscription row: FOR NO KEY UPDATE
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_coop.finish_batch(i_batch_id bigint)
returns integer as $$
begin
    update pgq.subscription s
       set sub_last_tick = null, sub_next_tick = null, sub_batch = null, sub_active = now(), sub_version = sub_version + 1
     where s.sub_batch = i_batch_id
       and pgq_coop._main_of(s.sub_queue, s.sub_consumer) is not null;
    if found then
        return 1;
    end if;
    if exists (select 1 from pgq.subscription where sub_batch = i_batch_id) then
        return pgq.finish_batch(i_batch_id);
    end if;
    raise warning 'finish_batch: batch % not found', coalesce(i_batch_id::text, 'NULL');
    return 0;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
