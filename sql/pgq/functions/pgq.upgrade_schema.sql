-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.upgrade_schema(0)
--
--      Bring tables of older versions up to date, as often as it is called: sub_last_tick may be NULL, columns
--      queue_extra_maint and queue_wake_seq, a wake sequence for each queue; roles.
--
-- Parameters:
--      none
-- Returns:
--      0
-- Tables:
--      alter: pgq.subscription, pgq.queue
--      update: pgq.queue
-- Locks:
--      ACCESS EXCLUSIVE on tables that it changes
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.upgrade_schema()
returns integer as $$
declare
    name text;
begin
    if exists (select 1 from pg_attribute
                where attrelid = 'pgq.subscription'::regclass and attname = 'sub_last_tick' and attnotnull)
    then
        alter table pgq.subscription alter column sub_last_tick drop not null;
    end if;

    foreach name in array array['pgq_reader', 'pgq_writer', 'pgq_admin'] loop
        if not exists (select 1 from pg_roles where rolname = name) then
            execute format('create role %I nologin', name);
            if name = 'pgq_admin' then
                grant pgq_reader, pgq_writer to pgq_admin;
            end if;
        end if;
    end loop;

    if not exists (select 1 from pg_attribute
                    where attrelid = 'pgq.queue'::regclass and attname = 'queue_extra_maint')
    then
        alter table pgq.queue add column queue_extra_maint text[];
    end if;
    if not exists (select 1 from pg_attribute
                    where attrelid = 'pgq.queue'::regclass and attname = 'queue_wake_seq')
    then
        alter table pgq.queue add column queue_wake_seq text;
    end if;
    for name in
        update pgq.queue set queue_wake_seq = 'pgq.event_' || queue_id || '_wake_seq'
         where queue_wake_seq is null
        returning queue_wake_seq
    loop
        if to_regclass(pgq.quote_fqname(name)) is null then
            execute format('create sequence %s minvalue 1 maxvalue 2', pgq.quote_fqname(name));
        end if;
        execute format('grant select on %s to public', pgq.quote_fqname(name));
    end loop;
    return 0;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
