-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_list(4)
--
--      List dead letters of a consumer by event id. Known from PgQ 2.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_consumer_name - name of the consumer
--      x_count         - so many
--      x_offset        - after leaving out so many
-- Returns:
--      rows of pgq.failed_queue
-- Tables:
--      select: pgq.failed_queue
-- Locks:
--      none
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_list(
    x_queue_name text, x_consumer_name text, x_count integer, x_offset integer)
returns setof pgq.failed_queue as $$
begin
    return query
    select * from pgq.failed_queue
     where ev_queue_name = x_queue_name and ev_consumer_name = x_consumer_name
     order by ev_id limit x_count offset x_offset;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_list(2)
--
--      List all of them.
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_list(x_queue_name text, x_consumer_name text)
returns setof pgq.failed_queue as $$
begin
    return query select * from pgq.failed_event_list(x_queue_name, x_consumer_name, null, null);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.failed_event_count(2)
--
--      Count dead letters of a consumer.
-- ----------------------------------------------------------------------
create or replace function pgq.failed_event_count(x_queue_name text, x_consumer_name text)
returns integer as $$
begin
    return (select count(*) from pgq.failed_queue
             where ev_queue_name = x_queue_name and ev_consumer_name = x_consumer_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
