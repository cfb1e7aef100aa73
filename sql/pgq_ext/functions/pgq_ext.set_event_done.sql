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
--      row of the consumer in partial_batch: FOR UPDATE; a second caller waits for the first to commit
-- Raises:
--      not_null_violation - an argument is NULL
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_event_done(
    a_consumer text, a_subconsumer text, a_batch_id bigint, a_event_id bigint)
returns boolean as $$
declare
    previous bigint;
begin
    insert into pgq_ext.partial_batch (consumer_id, subconsumer_id, cur_batch_id)
    values (a_consumer, a_subconsumer, a_batch_id)
        on conflict do nothing;
    select cur_batch_id into previous
      from pgq_ext.partial_batch
     where consumer_id = a_consumer and subconsumer_id = a_subconsumer
       for update;

    if previous <> a_batch_id then
        delete from pgq_ext.completed_event
         where consumer_id = a_consumer and subconsumer_id = a_subconsumer and batch_id = previous;
        update pgq_ext.partial_batch set cur_batch_id = a_batch_id
         where consumer_id = a_consumer and subconsumer_id = a_subconsumer;
    end if;

    insert into pgq_ext.completed_event (consumer_id, subconsumer_id, batch_id, event_id)
    values (a_consumer, a_subconsumer, a_batch_id, a_event_id)
        on conflict do nothing;
    return found;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

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
