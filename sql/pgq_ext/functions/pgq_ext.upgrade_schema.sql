-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_ext.upgrade_schema(0)
--
--      Add column subconsumer_id, part of the key, to tables of versions before 3, as often as it is called.
--
-- Parameters:
--      none
-- Returns:
--      number of changes: up to two for each of the four tables
-- Tables:
--      alter: all of pgq_ext
-- Locks:
--      ACCESS EXCLUSIVE on tables that it changes
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_ext.upgrade_schema()
returns integer as $$
declare
    t record;
    changes integer := 0;
begin
    for t in
        select c.oid, c.oid::regclass::text as name, a.attname is not null as has_column,
               coalesce(a.atthasdef, false) as has_default,
               (select format('alter table %s drop constraint %I', c.oid::regclass, k.conname)
                  from pg_constraint k where k.conrelid = c.oid and k.contype = 'p') as drop_key,
               case c.relname when 'completed_event' then ', batch_id, event_id' else ', row_version' end as more_key
          from pg_class c
          left join pg_attribute a
            on a.attrelid = c.oid and a.attname = 'subconsumer_id' and not a.attisdropped
         where c.relnamespace = 'pgq_ext'::regnamespace
           and c.relname in ('completed_tick', 'completed_batch', 'completed_event', 'partial_batch')
         order by c.relname
    loop
        if not t.has_column then
            execute format('alter table %s add column subconsumer_id text not null default %L', t.name, '');
            if t.drop_key is not null then
                execute t.drop_key;
            end if;
            execute format('alter table %s add primary key (consumer_id, subconsumer_id%s)', t.name, t.more_key);
            changes := changes + 2;
        elsif not t.has_default then
            execute format('alter table %s alter column subconsumer_id set default %L', t.name, '');
            changes := changes + 1;
        end if;
    end loop;
    return changes;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
