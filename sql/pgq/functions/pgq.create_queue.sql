-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.create_queue(1)
--
--      Create a queue with its event tables, sequences and first tick, so that consumers can register at once.
--      A sleeping ticker is told about it.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      1 - created
--      0 - it exists already
-- Tables:
--      insert: pgq.queue, pgq.tick
--      create: the event tables of the queue
-- Locks:
--      unique index of pgq.queue: a second creator of the same name waits for the first
-- Raises:
--      null_value_not_allowed - no name given
-- ----------------------------------------------------------------------
create or replace function pgq.create_queue(i_queue_name text)
returns integer as $$
declare
    new_id integer;
    table_count integer;
    prefix text;
begin
    if i_queue_name is null then
        raise exception 'queue name must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    if exists (select 1 from pgq.queue where queue_name = i_queue_name) then
        return 0;
    end if;

    new_id := nextval('pgq.queue_queue_id_seq');
    prefix := 'pgq.event_' || new_id;
    insert into pgq.queue (queue_id, queue_name, queue_data_pfx, queue_event_seq, queue_tick_seq, queue_wake_seq)
    values (new_id, i_queue_name, prefix, prefix || '_id_seq', prefix || '_tick_seq', prefix || '_wake_seq')
    on conflict (queue_name) do nothing
    returning queue_ntables into table_count;
    if not found then
        return 0;
    end if;

    perform pgq._create_queue_objects(prefix, table_count);
    perform pgq.grant_perms(i_queue_name);
    perform pgq.ticker(i_queue_name);
    perform pgq.tune_storage(i_queue_name);
    perform pg_notify('pgq_wakeup', new_id::text);
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
