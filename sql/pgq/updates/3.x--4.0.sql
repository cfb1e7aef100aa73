-- SPDX-License-Identifier: ISC
-- From pgq 3.1 and later, and from either engine to the other. Columns: see pgq.upgrade_schema.
alter table pgq.queue alter column queue_ticker_max_lag set default '10 milliseconds';
alter table pgq.event_template alter column ev_time set default now();

-- Helpers of the engine without C; where it stays, they are made again.
do $$
declare
    helper text;
begin
    for helper in
        select oid::pg_catalog.regprocedure::text
          from pg_catalog.pg_proc
         where pronamespace = 'pgq'::pg_catalog.regnamespace
           and (proname = '_urlencode' or pg_catalog.starts_with(proname, '_pl_'))
    loop
        execute 'drop function ' || helper;
    end loop;
end;
$$;

-- Here, and not with the other columns: triggers that come with the functions need them.
do $$
begin
    if not exists (select 1 from pg_catalog.pg_attribute
                    where attrelid = 'pgq.subscription'::pg_catalog.regclass and attname = 'sub_version')
    then
        alter table pgq.subscription
            add column sub_detached timestamptz, add column sub_version bigint not null default 0,
            drop constraint subscription_pkey,
            add constraint subscription_pkey primary key (sub_queue, sub_consumer, sub_version);
    end if;
end;
$$;
