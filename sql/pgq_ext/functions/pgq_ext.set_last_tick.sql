-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext.set_last_tick(3)
--
--      Note up to which tick all has been done, in the transaction that does it.
--
-- Parameters:
--      a_consumer      - consumer, unique among all sources of this database
--      a_subconsumer   - part of it
--      a_tick_id       - id of the tick, NULL: forget the consumer
-- Returns:
--      1
-- Tables:
--      insert, update, delete: pgq_ext.completed_tick
-- Locks:
--      row of the consumer: FOR NO KEY UPDATE; for its first one: see pgq_ext._is_new
-- Raises:
--      not_null_violation - no consumer given
--      serialization_failure - not READ COMMITTED, and another has marked since the snapshot was taken
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_last_tick(a_consumer text, a_subconsumer text, a_tick_id bigint)
returns integer as $$
declare
    cur record;
begin
    if a_tick_id is null then
        delete from pgq_ext.completed_tick where consumer_id = a_consumer and subconsumer_id = a_subconsumer;
        return 1;
    end if;
    loop
        select ctid as tid, row_version into cur
          from pgq_ext.completed_tick
         where consumer_id = a_consumer and subconsumer_id = a_subconsumer
         order by row_version desc limit 1;
        if not found then
            -- Somebody may have entered it while we waited: then look again.
            continue when not pgq_ext._is_new('completed_tick', a_consumer, a_subconsumer);
            insert into pgq_ext.completed_tick (consumer_id, subconsumer_id, last_tick_id)
            values (a_consumer, a_subconsumer, a_tick_id);
            return 1;
        end if;
        -- Nothing is updated if somebody else has done so meanwhile: then look again.
        update pgq_ext.completed_tick
           set last_tick_id = a_tick_id, row_version = cur.row_version + 1
         where ctid = cur.tid and row_version = cur.row_version
           and consumer_id = a_consumer and subconsumer_id = a_subconsumer;
        if found then
            return 1;
        end if;
    end loop;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- Plans are made while the table is small, and used when it is not.
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_ext.set_last_tick(2)
--
--      The same for a consumer without parts.
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_last_tick(a_consumer text, a_tick_id bigint)
returns integer as $$
begin
    return pgq_ext.set_last_tick(a_consumer, '', a_tick_id);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
