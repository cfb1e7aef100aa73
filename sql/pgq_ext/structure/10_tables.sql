-- SPDX-License-Identifier: ISC
-- What has been done on this side: marked in the transaction that does the work, so that nothing is done twice.
do $$
begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'pgq_writer') then
        create role pgq_writer nologin;
    end if;
exception
    when insufficient_privilege then
        -- Who may not make roles goes on without them: only the owner has rights, and gives them to others.
        null;
end;
$$;

create schema if not exists pgq_ext;

create table if not exists pgq_ext.completed_tick (
    consumer_id text not null,
    subconsumer_id text not null default '',
    last_tick_id bigint not null,
    -- Last part of the key, counted up with each change, so that the row of now is found without walking over all that it
    -- was before and that cannot be vacuumed while somebody holds a snapshot. See pgq_ext._row_version.
    row_version bigint not null default 0,
    primary key (consumer_id, subconsumer_id, row_version)
);

create table if not exists pgq_ext.completed_batch (
    consumer_id text not null,
    subconsumer_id text not null default '',
    last_batch_id bigint not null,
    row_version bigint not null default 0,
    primary key (consumer_id, subconsumer_id, row_version)
);

create table if not exists pgq_ext.completed_event (
    consumer_id text not null,
    subconsumer_id text not null default '',
    batch_id bigint not null,
    event_id bigint not null,
    primary key (consumer_id, subconsumer_id, batch_id, event_id)
);

-- The batch that rows of completed_event belong to.
create table if not exists pgq_ext.partial_batch (
    consumer_id text not null,
    subconsumer_id text not null default '',
    cur_batch_id bigint not null,
    row_version bigint not null default 0,
    primary key (consumer_id, subconsumer_id, row_version)
);

-- Consumers that have been entered in the other tables, and how often: here a snapshot that is too old to see the row of one
-- fails, instead of entering it twice. Filled by triggers, and so not dumped with an extension. Where a script has made the
-- tables it is, and its name is sorted before theirs.
create table if not exists pgq_ext.begun (
    table_name text not null,
    consumer_id text not null,
    subconsumer_id text not null,
    times bigint not null default 1,
    primary key (table_name, consumer_id, subconsumer_id)
);

select pg_catalog.pg_extension_config_dump('pgq_ext.completed_tick', '');
select pg_catalog.pg_extension_config_dump('pgq_ext.completed_batch', '');
select pg_catalog.pg_extension_config_dump('pgq_ext.completed_event', '');
select pg_catalog.pg_extension_config_dump('pgq_ext.partial_batch', '');
