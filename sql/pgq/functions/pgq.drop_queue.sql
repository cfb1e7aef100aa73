-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.drop_queue(2)
--
--      Drop a queue with all its events, ticks and retry events.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_force         - true: unregister its consumers first
-- Returns:
--      1
-- Tables:
--      delete: pgq.queue, pgq.tick, pgq.retry_queue, pgq.subscription, pgq.consumer
--      drop: the event tables of the queue
-- Locks:
--      queue row: FOR UPDATE; event tables: ACCESS EXCLUSIVE
-- Raises:
--      undefined_object - no such queue
--      dependent_objects_still_exist - consumers are attached, and not forced
-- ----------------------------------------------------------------------
create or replace function pgq.drop_queue(x_queue_name text, x_force boolean)
returns integer as $$
declare
    q record;
    consumers text;
begin
    select queue_id, queue_ntables, queue_data_pfx, queue_event_seq, queue_tick_seq, queue_wake_seq into q
      from pgq.queue where queue_name = x_queue_name for update;
    if not found then
        raise exception 'No such event queue' using errcode = 'undefined_object',
            detail = format('Queue: %s.', coalesce(x_queue_name, 'NULL'));
    end if;

    if x_force then
        perform pgq.unregister_consumer(queue_name, consumer_name) from pgq.get_consumer_info(x_queue_name);
    else
        select string_agg(c.co_name, ', ' order by c.co_name) into consumers
          from pgq.subscription s join pgq.consumer c on c.co_id = s.sub_consumer
         where s.sub_queue = q.queue_id;
        if consumers is not null then
            raise exception 'cannot drop queue %: consumers are still attached', x_queue_name
                using errcode = 'dependent_objects_still_exist', detail = format('Consumers: %s.', consumers),
                hint = 'Unregister them first, or call pgq.drop_queue(queue, true).';
        end if;
    end if;

    for i in 0 .. q.queue_ntables - 1 loop
        execute format('drop table if exists %s', pgq.quote_fqname(q.queue_data_pfx || '_' || i));
    end loop;
    execute format('drop table if exists %s', pgq.quote_fqname(q.queue_data_pfx));
    delete from pgq.retry_queue where ev_queue = q.queue_id;
    delete from pgq.tick where tick_queue = q.queue_id;
    execute format('drop sequence if exists %s', pgq.quote_fqname(q.queue_tick_seq));
    execute format('drop sequence if exists %s', pgq.quote_fqname(q.queue_event_seq));
    if q.queue_wake_seq is not null then
        execute format('drop sequence if exists %s', pgq.quote_fqname(q.queue_wake_seq));
    end if;
    delete from pgq.queue where queue_id = q.queue_id;
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.drop_queue(1)
--
--      The same, not forced. NULL gives NULL.
-- ----------------------------------------------------------------------
create or replace function pgq.drop_queue(x_queue_name text)
returns integer as $$
begin
    return pgq.drop_queue(x_queue_name, false);
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
