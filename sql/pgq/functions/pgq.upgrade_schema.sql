-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.upgrade_schema(0)
--
--      Bring tables and queues of older versions up to date, as often as it is called: sub_last_tick may be NULL,
--      tick_event_seq may not, columns that are new since, a wake sequence for each queue; roles.
--
-- Parameters:
--      none
-- Returns:
--      0
-- Tables:
--      alter: pgq.subscription, pgq.queue, pgq.tick
--      update: pgq.queue, pgq.tick
-- Locks:
--      ACCESS EXCLUSIVE on tables that it changes
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq.upgrade_schema()
returns integer as $$
declare
    q record;
begin
    perform pgq._upgrade_columns();
    perform pgq._make_roles();

    for q in
        select queue_id, 'pgq.event_' || queue_id || '_wake_seq' as wake_seq
          from pgq.queue where queue_wake_seq is null order by queue_id
    loop
        if to_regclass(pgq.quote_fqname(q.wake_seq)) is null then
            execute format('create sequence %s minvalue 1 maxvalue 2', pgq.quote_fqname(q.wake_seq));
        end if;
        update pgq.queue set queue_wake_seq = q.wake_seq where queue_id = q.queue_id;
        execute format('grant select on %s to public', pgq.quote_fqname(q.wake_seq));
    end loop;
    return 0;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._upgrade_columns(0)
--
--      Bring the columns of tables of older versions up to date.
-- ----------------------------------------------------------------------
create or replace function pgq._upgrade_columns()
returns void as $$
begin
    if exists (select 1 from pg_attribute
                where attrelid = 'pgq.subscription'::regclass and attname = 'sub_last_tick' and attnotnull)
    then
        alter table pgq.subscription alter column sub_last_tick drop not null;
    end if;
    if not exists (select 1 from pg_attribute
                    where attrelid = 'pgq.queue'::regclass and attname = 'queue_extra_maint')
    then
        alter table pgq.queue add column queue_extra_maint text[];
    end if;
    if not exists (select 1 from pg_attribute
                    where attrelid = 'pgq.queue'::regclass and attname = 'queue_wake_seq')
    then
        alter table pgq.queue add column queue_wake_seq text;
        -- These counted a sequence that was never used as one event: the first event would not count as new.
        update pgq.tick t
           set tick_event_seq = 0
          from pgq.queue q
         where q.queue_id = t.tick_queue and t.tick_event_seq = 1
           and pg_sequence_last_value(to_regclass(pgq.quote_fqname(q.queue_event_seq))) is null;
    end if;
    if not exists (select 1 from pg_attribute
                    where attrelid = 'pgq.queue'::regclass and attname = 'queue_gone_policy')
    then
        alter table pgq.queue
            add column queue_batch_max_events integer, add column queue_retention interval,
            add column queue_read_time timestamptz, add column queue_gone_after interval,
            add column queue_gone_policy text not null default 'keep';
        alter table pgq.tick
            add column tick_part_snapshot txid_snapshot, add column tick_part_end bigint;
    end if;
    -- Ticks that were made by PgQ 2 do not know the event sequence.
    if exists (select 1 from pg_attribute
                where attrelid = 'pgq.tick'::regclass and attname = 'tick_event_seq' and not attnotnull)
    then
        update pgq.tick t
           set tick_event_seq = coalesce((select min(n.tick_event_seq) from pgq.tick n
                                           where n.tick_queue = t.tick_queue and n.tick_id > t.tick_id), 0)
         where tick_event_seq is null;
        alter table pgq.tick alter column tick_event_seq set not null;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._make_roles(0)
--
--      Make the roles of pgq that are missing. Who may not make roles goes on without them: then only the owner has
--      rights, and gives them to others.
-- ----------------------------------------------------------------------
create or replace function pgq._make_roles()
returns void as $$
declare
    role_name text;
begin
    foreach role_name in array array['pgq_reader', 'pgq_writer', 'pgq_admin'] loop
        if not exists (select 1 from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
            if role_name = 'pgq_admin' then
                grant pgq_reader, pgq_writer to pgq_admin;
            end if;
        end if;
    end loop;
exception
    when insufficient_privilege then
        null;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
