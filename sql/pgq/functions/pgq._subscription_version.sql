-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._subscription_version(0)
--
--      Trigger of pgq.subscription: counts up sub_version with each change that does not do so itself, and keeps
--      consumers from being entered twice, as the version is part of the key.
--
--      Why there is a version: each batch changes the row of its consumer twice. What the row was before stays in table
--      and indexes for as long as anybody in the cluster holds a snapshot from that time, and whoever looks for the row,
--      or checks that a key is unique, has to walk past all of it. With the version in the key the row of now is
--      the last of its index entries, and each entry is unique. So what is called for each batch looks like this:
--
--          where sub_queue = A and sub_consumer = B order by sub_version desc limit 1
--
--      and changes the row by its ctid. Other readers and writers need not know of it.
--
-- Parameters:
--      none
-- Returns:
--      the row
-- Tables:
--      select: pgq.subscription
-- Locks:
--      for a row that is entered, the row of the consumer: FOR NO KEY UPDATE
-- Raises:
--      unique_violation - the consumer is subscribed already
--      serialization_failure - not READ COMMITTED, and somebody has subscribed it since the snapshot was taken
-- ----------------------------------------------------------------------
create or replace function pgq._subscription_version()
returns trigger as $$
begin
    if tg_op = 'UPDATE' then
        new.sub_version := old.sub_version + 1;
        return new;
    end if;
    -- Changes nothing, but an older snapshot than that of the one before fails here.
    update pgq.consumer set co_name = co_name where co_id = new.sub_consumer;
    if exists (select 1 from pgq.subscription where sub_queue = new.sub_queue and sub_consumer = new.sub_consumer) then
        raise exception 'duplicate key value violates unique constraint "subscription_pkey"'
            using errcode = 'unique_violation',
            detail = format('Consumer %s is subscribed to queue %s already.', new.sub_consumer, new.sub_queue);
    end if;
    return new;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._subscription_now(2)
--
--      Give the place (ctid) of the row of a consumer, NULL if it is not subscribed. The caller has locked the row.
-- ----------------------------------------------------------------------
create or replace function pgq._subscription_now(i_queue_id integer, i_consumer_id integer)
returns tid as $$
begin
    return (select ctid from pgq.subscription where sub_queue = i_queue_id and sub_consumer = i_consumer_id
             order by sub_version desc limit 1);
end;
$$ language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq._subscriptions(1)
--
--      Give the rows of all consumers of a queue, each found from the end of its index entries, as above.
-- ----------------------------------------------------------------------
create or replace function pgq._subscriptions(i_queue_id integer)
returns setof pgq.subscription as $$
declare
    s pgq.subscription;
begin
    select * into s from pgq.subscription
     where sub_queue = i_queue_id order by sub_consumer desc, sub_version desc limit 1;
    while found loop
        return next s;
        select * into s from pgq.subscription
         where sub_queue = i_queue_id and sub_consumer < s.sub_consumer
         order by sub_consumer desc, sub_version desc limit 1;
    end loop;
end;
$$ language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

create or replace trigger changed before update on pgq.subscription
   for each row when (new.sub_version = old.sub_version) execute function pgq._subscription_version();
create or replace trigger entered before insert on pgq.subscription
   for each row execute function pgq._subscription_version();
