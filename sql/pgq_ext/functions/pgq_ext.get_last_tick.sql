-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext.get_last_tick(2)
--
--      Up to which tick has all been done?
--
-- Parameters:
--      a_consumer      - consumer, unique among all sources of this database
--      a_subconsumer   - part of it
-- Returns:
--      id of the tick, NULL: none stored
-- Tables:
--      select: pgq_ext.completed_tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_ext.get_last_tick(a_consumer text, a_subconsumer text)
returns bigint as $$
begin
    return (select last_tick_id from pgq_ext.completed_tick
             where consumer_id = a_consumer and subconsumer_id = a_subconsumer
             order by row_version desc limit 1);
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_ext.get_last_tick(1)
--
--      The same for a consumer without parts.
-- ----------------------------------------------------------------------
create or replace function pgq_ext.get_last_tick(a_consumer text)
returns bigint as $$
begin
    return pgq_ext.get_last_tick(a_consumer, '');
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
