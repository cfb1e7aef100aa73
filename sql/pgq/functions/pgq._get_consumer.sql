-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._get_consumer(1)
--
--      Find a consumer by name, or make it; its row is locked, so that nobody unregisters it meanwhile.
--
-- Parameters:
--      i_name  - name of the consumer
-- Returns:
--      its id
-- Tables:
--      select, insert: pgq.consumer
-- Locks:
--      consumer row: FOR UPDATE
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq._get_consumer(i_name text)
returns integer as $$
declare
    res integer;
begin
    loop
        select co_id into res from pgq.consumer where co_name = i_name for update;
        exit when found;
        -- Nothing is inserted if somebody else has just done it: then look again.
        insert into pgq.consumer (co_name) values (i_name) on conflict (co_name) do nothing returning co_id into res;
        exit when found;
    end loop;
    return res;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
