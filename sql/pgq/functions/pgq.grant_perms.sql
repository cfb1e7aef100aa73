-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.grant_perms(1)
--
--      Give the tables of a queue the same grants as pgq.event_template, and open its sequences to those who need
--      them. To customise, grant on pgq.event_template before creating queues.
--
-- Parameters:
--      x_queue_name    - name of the queue
-- Returns:
--      1
-- Tables:
--      grants on the event tables and sequences of the queue
-- Locks:
--      none
-- Raises:
--      undefined_object - no such queue
-- ----------------------------------------------------------------------
create or replace function pgq.grant_perms(x_queue_name text)
returns integer as $$
declare
    q record;
    schema_name text;
    parent_name text;
begin
    select queue_data_pfx, queue_event_seq, queue_tick_seq, queue_wake_seq, queue_ntables into q
      from pgq.queue where queue_name = x_queue_name;
    if not found then
        raise exception 'No such event queue' using errcode = 'undefined_object',
            detail = format('Queue: %s.', coalesce(x_queue_name, 'NULL'));
    end if;

    execute format('grant select on %s, %s to public',
                   pgq.quote_fqname(q.queue_event_seq), pgq.quote_fqname(q.queue_tick_seq));
    if q.queue_wake_seq is not null then
        execute format('grant select on %s to public', pgq.quote_fqname(q.queue_wake_seq));
    end if;
    if exists (select 1 from pg_roles where rolname = 'pgq_admin') then
        execute format('grant usage on %s to pgq_admin', pgq.quote_fqname(q.queue_event_seq));
    end if;

    schema_name := case when q.queue_data_pfx like '%.%' then split_part(q.queue_data_pfx, '.', 1) else 'public' end;
    parent_name := substr(q.queue_data_pfx, strpos(q.queue_data_pfx, '.') + 1);
    perform pgq._grant_perms_from('pgq', 'event_template', schema_name, parent_name);
    for i in 0 .. q.queue_ntables - 1 loop
        perform pgq._grant_perms_from('pgq', 'event_template', schema_name, parent_name || '_' || i);
    end loop;
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
