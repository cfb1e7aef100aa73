-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._local_state(2)
--
--      Find the row of a cascaded consumer: the last of its index entries, see pgq_node._state_version.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
-- Returns:
--      the row, or none
-- Tables:
--      select: pgq_node.local_state
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node._local_state(i_queue_name text, i_consumer_name text)
returns setof pgq_node.local_state as $$
begin
    return query
    select * from pgq_node.local_state l
     where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name
     order by l.row_version desc limit 1;
end;
$$ language plpgsql stable rows 1
    set search_path = pg_catalog, pg_temp
    -- Plans are made while the table is small, and used when it is not.
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_node._lock_state(2)
--
--      Lock the row of a cascaded consumer (FOR NO KEY UPDATE), and give its place (ctid), where it can be changed; NULL if
--      there is none.
-- ----------------------------------------------------------------------
create or replace function pgq_node._lock_state(i_queue_name text, i_consumer_name text)
returns tid as $$
declare
    cur record;
begin
    loop
        select l.ctid as place, l.row_version into cur
          from pgq_node.local_state l
         where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name
         order by l.row_version desc limit 1;
        exit when not found;
        -- Not found if somebody has changed it meanwhile: then look again.
        perform 1 from pgq_node.local_state l
          where l.ctid = cur.place and l.row_version = cur.row_version
            and l.queue_name = i_queue_name and l.consumer_name = i_consumer_name
            for no key update;
        exit when found;
    end loop;
    return cur.place;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;

-- ----------------------------------------------------------------------
-- Function: pgq_node._state_version(0)
--
--      Trigger of pgq_node.local_state: counts up row_version with each change that does not do so itself, and keeps
--      consumers from being entered twice, as the version is part of the key. Why there is one: see
--      pgq._subscription_version.
--
-- Returns:
--      the row
-- Locks:
--      for a row that is entered, the row in node_info: FOR NO KEY UPDATE
-- Raises:
--      unique_violation - there is a row of the consumer already
--      serialization_failure - not READ COMMITTED, and somebody has entered a consumer since the snapshot was taken
-- ----------------------------------------------------------------------
create or replace function pgq_node._state_version()
returns trigger as $$
begin
    if tg_op = 'UPDATE' then
        new.row_version := old.row_version + 1;
        return new;
    end if;
    -- Changes nothing, but an older snapshot than that of the one before fails here.
    update pgq_node.node_info n set node_name = n.node_name where n.queue_name = new.queue_name;
    if exists (select 1 from pgq_node.local_state l
                where l.queue_name = new.queue_name and l.consumer_name = new.consumer_name)
    then
        raise exception 'duplicate key value violates unique constraint "local_state_pkey"'
            using errcode = 'unique_violation',
            detail = format('Consumer %s is registered on queue %s already.', new.consumer_name, new.queue_name);
    end if;
    return new;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

create or replace trigger changed before update on pgq_node.local_state
   for each row when (new.row_version = old.row_version) execute function pgq_node._state_version();
create or replace trigger entered before insert on pgq_node.local_state
   for each row execute function pgq_node._state_version();
