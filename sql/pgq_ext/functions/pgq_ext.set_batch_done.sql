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
--      row of the consumer: FOR NO KEY UPDATE; a second caller waits for the first to commit
-- Raises:
--      not_null_violation - an argument is NULL
-- ----------------------------------------------------------------------
create or replace function pgq_ext.set_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint)
returns boolean as $$
begin
    if a_batch_id <= 0 then
        return true;
    end if;
    insert into pgq_ext.completed_batch as done (consumer_id, subconsumer_id, last_batch_id)
    values (a_consumer, a_subconsumer, a_batch_id)
        on conflict (consumer_id, subconsumer_id)
        do update set last_batch_id = excluded.last_batch_id where done.last_batch_id <> excluded.last_batch_id;
    return found;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

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
