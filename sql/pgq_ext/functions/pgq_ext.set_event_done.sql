-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext.set_event_done(4)
--
--      Mark an event as done, in the transaction that does it. With the first event of a batch, those of the batch
--      before are forgotten. Not for events from the retry queue: they come again in another batch.
--
-- Parameters:
--      a_consumer      - consumer, unique among all sources of this database
--      a_subconsumer   - part of it
--      a_batch_id      - the batch
--      a_event_id      - the event
-- Returns:
--      true - marked, go on
--      false - it was done already
-- Tables:
--      insert, update: pgq_ext.partial_batch
--      insert, delete: pgq_ext.completed_event
-- Locks:
--      row of the consumer in partial_batch: FOR NO KEY UPDATE; for its first one: see pgq_ext._is_new. A second caller
--      waits for the first to commit
-- Raises:
--      not_null_violation - an argument is NULL
--      serialization_failure - not READ COMMITTED, and another has marked since the snapshot was taken
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_event_done(
    a_consumer text, a_subconsumer text, a_batch_id bigint, a_event_id bigint)
returns boolean as $$
declare
    cur record;
begin
    loop
        select ctid as tid, row_version, cur_batch_id into cur
          from pgq_ext.partial_batch
         where consumer_id = a_consumer and subconsumer_id = a_subconsumer
         order by row_version desc limit 1;
        if not found then
            -- Somebody may have entered it while we waited: then look again.
            continue when not pgq_ext._is_new('partial_batch', a_consumer, a_subconsumer);
            insert into pgq_ext.partial_batch (consumer_id, subconsumer_id, cur_batch_id)
            values (a_consumer, a_subconsumer, a_batch_id);
            exit;
        end if;
        -- Nothing is locked if somebody else has changed it meanwhile: then look again.
        perform 1 from pgq_ext.partial_batch
          where ctid = cur.tid and row_version = cur.row_version
            and consumer_id = a_consumer and subconsumer_id = a_subconsumer
            for no key update;
        continue when not found;
        if cur.cur_batch_id <> a_batch_id then
            delete from pgq_ext.completed_event
             where consumer_id = a_consumer and subconsumer_id = a_subconsumer and batch_id = cur.cur_batch_id;
            update pgq_ext.partial_batch set cur_batch_id = a_batch_id, row_version = cur.row_version + 1
             where ctid = cur.tid;
        end if;
        exit;
    end loop;

    insert into pgq_ext.completed_event (consumer_id, subconsumer_id, batch_id, event_id)
    values (a_consumer, a_subconsumer, a_batch_id, a_event_id)
        on conflict do nothing;
    return found;
end;
$$ language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- Plans are made while the tables are small, and used when they are not.
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_ext.set_event_done(3)
--
--      The same for a consumer without parts.
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_event_done(a_consumer text, a_batch_id bigint, a_event_id bigint)
returns boolean as $$
begin
    return pgq_ext.set_event_done(a_consumer, '', a_batch_id, a_event_id);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
