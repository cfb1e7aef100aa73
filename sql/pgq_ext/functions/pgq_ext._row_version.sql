-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext._row_version(0)
--
--      Trigger of completed_tick and completed_batch: counts up row_version with each change that does not do so
--      itself, and keeps consumers from being entered twice, as the version is part of the key.
--
--      Each batch changes the row of its consumer. What the row was before stays in table and index for as long as
--      anybody in the cluster holds a snapshot from that time, and whoever looks for the row has to walk past all of it.
--      With the version in the key the row of now is the last of its index entries:
--
--          where consumer_id = A and subconsumer_id = B order by row_version desc limit 1
--
--      and is changed by its ctid. Other readers and writers need not know of it.
--
-- Parameters:
--      none
-- Returns:
--      the row
-- Tables:
--      select: the table it is called for
-- Locks:
--      for a row that is entered: see pgq_ext._enter
-- Raises:
--      unique_violation - there is a row of the consumer already
-- ----------------------------------------------------------------------
create or replace function pgq_ext._row_version()
returns trigger as $$
declare
    is_there boolean;
begin
    if tg_op = 'UPDATE' then
        new.row_version := old.row_version + 1;
        return new;
    end if;
    perform pgq_ext._enter(tg_relid, new.consumer_id, new.subconsumer_id);
    execute format('select exists (select 1 from %s where consumer_id = $1 and subconsumer_id = $2)', tg_relid::regclass)
       into is_there using new.consumer_id, new.subconsumer_id;
    if is_there then
        raise exception 'duplicate key value violates unique constraint "%_pkey"', tg_table_name
            using errcode = 'unique_violation',
            detail = format('There is a row of consumer %s, part "%s", already.', new.consumer_id, new.subconsumer_id);
    end if;
    return new;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq_ext._enter(3)
--
--      Lock the place of a consumer's first row, to the end of the transaction: advisory, on the table's oid and a hash of
--      the names. A second one that enters the same consumer waits, and finds the row then.
-- ----------------------------------------------------------------------
create or replace function pgq_ext._enter(i_table oid, i_consumer text, i_subconsumer text)
returns void as $$
begin
    perform pg_advisory_xact_lock(i_table::integer, hashtext(i_consumer || '/' || i_subconsumer));
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

create or replace trigger changed before update on pgq_ext.completed_tick
   for each row when (new.row_version = old.row_version) execute function pgq_ext._row_version();
create or replace trigger entered before insert on pgq_ext.completed_tick
   for each row execute function pgq_ext._row_version();
create or replace trigger changed before update on pgq_ext.completed_batch
   for each row when (new.row_version = old.row_version) execute function pgq_ext._row_version();
create or replace trigger entered before insert on pgq_ext.completed_batch
   for each row execute function pgq_ext._row_version();
