-- SPDX-License-Identifier: ISC
-- From pgq 2.1, which was always loaded by a script: what its tables lack. Positions, open batches, retry events and
-- failed events stay. Does nothing where it has been done, be it by the script of Skytools 3.
do $$
declare
    o record;
begin
    if exists (select 1 from pg_catalog.pg_attribute
                where attrelid = 'pgq.queue'::pg_catalog.regclass and attname = 'queue_disable_insert')
    then
        return;
    end if;

    -- They come again, many with other results, which cannot be replaced. Triggers use theirs; others are of the site.
    for o in
        select oid::pg_catalog.regprocedure::text as name
          from pg_catalog.pg_proc
         where pronamespace = 'pgq'::pg_catalog.regnamespace and prorettype <> 'trigger'::pg_catalog.regtype
           and proname ~ ('^(_|batch_|create_queue|current_event_table|drop_queue|event_|failed_event_|find_tick_helper|'
                          'finish_batch|force_tick|get_|grant_perms|insert_event|maint_|next_batch|quote_fqname|'
                          'register_consumer|seq_|set_queue_config|ticker|unregister_consumer|upgrade_schema|version)')
    loop
        execute 'drop function ' || o.name;
    end loop;
    drop type if exists pgq.ret_queue_info, pgq.ret_consumer_info, pgq.ret_batch_info, pgq.ret_batch_event;

    alter table pgq.queue
        add column queue_disable_insert boolean not null default false,
        add column queue_ticker_paused boolean not null default false,
        add column queue_per_tx_limit integer;
    -- NULL in ticks that are there: see pgq._upgrade_columns.
    alter table pgq.tick add column tick_event_seq bigint;

    -- The key was sub_id, to which retry and failed events referred; ticks are not referred to any more.
    for o in
        select conrelid::pg_catalog.regclass::text as name, conname
          from pg_catalog.pg_constraint
         where confrelid = 'pgq.subscription'::pg_catalog.regclass
            or conrelid = 'pgq.subscription'::pg_catalog.regclass
               and (contype in ('p', 'u') or confrelid = 'pgq.tick'::pg_catalog.regclass)
         order by contype
    loop
        execute pg_catalog.format('alter table %s drop constraint %I', o.name, o.conname);
    end loop;
    drop index if exists pgq.subscription_batch_idx;
    alter table pgq.subscription
        alter column sub_last_tick drop not null,
        add constraint subscription_pkey primary key (sub_queue, sub_consumer),
        add constraint subscription_batch_idx unique (sub_batch);

    alter table pgq.retry_queue add column ev_queue integer;
    update pgq.retry_queue r set ev_queue = s.sub_queue from pgq.subscription s where s.sub_id = r.ev_owner;
    alter table pgq.retry_queue
        alter column ev_queue set not null,
        add constraint rq_queue_id_fkey foreign key (ev_queue) references pgq.queue (queue_id);

    alter table pgq.failed_queue
        add column ev_queue_name text, add column ev_consumer_name text, add column ev_tries integer;
    update pgq.failed_queue f
       set ev_queue_name = q.queue_name, ev_consumer_name = c.co_name, ev_tries = coalesce(f.ev_retry, 0) + 1
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
     where s.sub_id = f.ev_owner;
    alter table pgq.failed_queue
        alter column ev_queue_name set not null, alter column ev_consumer_name set not null,
        alter column ev_tries set not null;
end;
$$;
