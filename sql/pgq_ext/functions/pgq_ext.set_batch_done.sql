-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext.set_batch_done(3)
--
--      Mark a batch as done, in the transaction that does it.
--
-- Parameters:
--      a_consumer      - consumer, unique among all sources of this database
--      a_subconsumer   - part of it
--      a_batch_id      - the batch; 0 or less is not stored
-- Returns:
--      true - marked, go on
--      false - it was the last one done already
-- Tables:
--      insert, update: pgq_ext.completed_batch
-- Locks:
--      row of the consumer: FOR NO KEY UPDATE; for its first one: see pgq_ext._is_new. A second caller waits for the
--      first to commit
-- Raises:
--      not_null_violation - an argument is NULL
--      serialization_failure - not READ COMMITTED, and another has marked since the snapshot was taken
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint)
returns boolean as $$
declare
    cur record;
begin
    if a_batch_id <= 0 then
        return true;
    end if;
    loop
        select ctid as tid, row_version, last_batch_id into cur
          from pgq_ext.completed_batch
         where consumer_id = a_consumer and subconsumer_id = a_subconsumer
         order by row_version desc limit 1;
        if not found then
            -- Somebody may have entered it while we waited: then look again.
            continue when not pgq_ext._is_new('completed_batch', a_consumer, a_subconsumer);
            insert into pgq_ext.completed_batch (consumer_id, subconsumer_id, last_batch_id)
            values (a_consumer, a_subconsumer, a_batch_id);
            return true;
        end if;
        if cur.last_batch_id = a_batch_id then
            return false;
        end if;
        -- Nothing is updated if somebody else has done so meanwhile: then look again.
        update pgq_ext.completed_batch
           set last_batch_id = a_batch_id, row_version = cur.row_version + 1
         where ctid = cur.tid and row_version = cur.row_version
           and consumer_id = a_consumer and subconsumer_id = a_subconsumer;
        if found then
            return true;
        end if;
    end loop;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- Plans are made while the table is small, and used when it is not.
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_ext.set_batch_done(2)
--
--      The same for a consumer without parts.
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_batch_done(a_consumer text, a_batch_id bigint)
returns boolean as $$
begin
    return pgq_ext.set_batch_done(a_consumer, '', a_batch_id);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
