-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop.heartbeat(1)
--
--      Say that the owner of a batch is alive, so that nobody takes it over. Call it in a transaction of its own,
--      more often than the dead interval of the group.
--
-- Parameters:
--      i_batch_id  - id of the batch
-- Returns:
--      1 - noted
--      0 - no such batch: somebody has taken it over, or it was closed; what is done for it has to be rolled back
-- Tables:
--      update: pgq.subscription
-- Locks:
--      subscription row: FOR NO KEY UPDATE
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_coop.heartbeat(i_batch_id bigint)
returns integer as $$
begin
    update pgq.subscription set sub_active = now(), sub_version = sub_version + 1 where sub_batch = i_batch_id;
    return found::integer;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
