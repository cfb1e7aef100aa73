-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext.is_batch_done(3)
--
--      Is this the batch that was done last?
--
-- Parameters:
--      a_consumer      - consumer, unique among all sources of this database
--      a_subconsumer   - part of it
--      a_batch_id      - the batch
-- Returns:
--      true only for the last one that was marked
-- Tables:
--      select: pgq_ext.completed_batch
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_ext.is_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint)
returns boolean as $$
begin
    return coalesce((
        select last_batch_id = a_batch_id from pgq_ext.completed_batch
         where consumer_id = a_consumer and subconsumer_id = a_subconsumer
         order by row_version desc limit 1), false);
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_ext.is_batch_done(2)
--
--      The same for a consumer without parts.
-- ----------------------------------------------------------------------
create or replace function pgq_ext.is_batch_done(a_consumer text, a_batch_id bigint)
returns boolean as $$
begin
    return pgq_ext.is_batch_done(a_consumer, '', a_batch_id);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
