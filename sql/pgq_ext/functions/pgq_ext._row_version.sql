-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext._row_version(0)
--
--      Trigger of completed_tick, completed_batch and partial_batch: counts up row_version with each change that does not
--      do so itself, and keeps consumers from being entered twice, as the version is part of the key.
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
--      for a row that is entered: see pgq_ext._is_new
-- Raises:
--      unique_violation - there is a row of the consumer already
--      serialization_failure - see pgq_ext._is_new
-- ----------------------------------------------------------------------
create or replace function pgq_ext._row_version()
returns trigger as $$
begin
    if tg_op = 'UPDATE' then
        new.row_version := old.row_version + 1;
    elsif not pgq_ext._is_new(tg_table_name, new.consumer_id, new.subconsumer_id) then
        raise exception 'duplicate key value violates unique constraint "%_pkey"', tg_table_name
            using errcode = 'unique_violation',
            detail = format('There is a row of consumer %s, part "%s", already.', new.consumer_id, new.subconsumer_id);
    end if;
    return new;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq_ext._is_new(3)
--
--      Say whether a consumer can be entered into a table. Of two that enter it the second waits for the first.
--
-- Locks:
--      row of the consumer in pgq_ext.begun, to the end of the transaction
-- Raises:
--      serialization_failure - not READ COMMITTED, and somebody has entered it since the snapshot was taken
-- ----------------------------------------------------------------------
create or replace function pgq_ext._is_new(i_table text, i_consumer text, i_subconsumer text)
returns boolean as $$
declare
    is_there boolean;
begin
    insert into pgq_ext.begun as b (table_name, consumer_id, subconsumer_id)
    values (i_table, i_consumer, i_subconsumer)
        on conflict (table_name, consumer_id, subconsumer_id) do update set times = b.times + 1;
    execute format('select exists (select 1 from pgq_ext.%I where consumer_id = $1 and subconsumer_id = $2)', i_table)
       into is_there using i_consumer, i_subconsumer;
    return not is_there;
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
create or replace trigger changed before update on pgq_ext.partial_batch
   for each row when (new.row_version = old.row_version) execute function pgq_ext._row_version();
create or replace trigger entered before insert on pgq_ext.partial_batch
   for each row execute function pgq_ext._row_version();
