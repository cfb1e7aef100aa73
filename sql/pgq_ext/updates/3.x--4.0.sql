-- SPDX-License-Identifier: ISC
-- From pgq_ext 3.1 and later. Names of arguments may differ, and cannot be replaced.
drop function if exists pgq_ext.is_batch_done(text, text, bigint);
drop function if exists pgq_ext.is_batch_done(text, bigint);
drop function if exists pgq_ext.set_batch_done(text, text, bigint);
drop function if exists pgq_ext.set_batch_done(text, bigint);
drop function if exists pgq_ext.get_last_tick(text, text);
drop function if exists pgq_ext.get_last_tick(text);
drop function if exists pgq_ext.set_last_tick(text, text, bigint);
drop function if exists pgq_ext.set_last_tick(text, bigint);
drop function if exists pgq_ext.is_event_done(text, text, bigint, bigint);
drop function if exists pgq_ext.is_event_done(text, bigint, bigint);
drop function if exists pgq_ext.set_event_done(text, text, bigint, bigint);
drop function if exists pgq_ext.set_event_done(text, bigint, bigint);

-- Here, and not with the other columns: triggers that come with the functions need them. Tables without subconsumers
-- get their key later: see pgq_ext.upgrade_schema.
do $$
declare
    t record;
begin
    for t in
        select c.oid::pg_catalog.regclass::text as name, k.conname as key,
               exists (select 1 from pg_catalog.pg_attribute s
                        where s.attrelid = c.oid and s.attname = 'subconsumer_id' and not s.attisdropped) as has_parts
          from pg_catalog.pg_class c
          left join pg_catalog.pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
         where c.oid in ('pgq_ext.completed_tick'::pg_catalog.regclass, 'pgq_ext.completed_batch'::pg_catalog.regclass,
                         'pgq_ext.partial_batch'::pg_catalog.regclass)
           and not exists (select 1 from pg_catalog.pg_attribute v
                            where v.attrelid = c.oid and v.attname = 'row_version' and not v.attisdropped)
         order by c.relname
    loop
        execute pg_catalog.format('alter table %s add column row_version bigint not null default 0', t.name);
        if t.has_parts then
            execute pg_catalog.format('alter table %s drop constraint %I, '
                                      'add primary key (consumer_id, subconsumer_id, row_version)', t.name, t.key);
        end if;
    end loop;
end;
$$;
