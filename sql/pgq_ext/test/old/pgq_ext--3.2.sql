-- SPDX-License-Identifier: ISC
-- Stands for pgq_ext 3: what it has in the catalog, with nothing in the functions. For the test of updates.
create schema pgq_ext;
grant usage on schema pgq_ext to public;
create table pgq_ext.completed_tick (
    consumer_id text not null, subconsumer_id text not null, last_tick_id bigint not null,
    primary key (consumer_id, subconsumer_id));
create table pgq_ext.completed_batch (
    consumer_id text not null, subconsumer_id text not null default '', last_batch_id bigint not null,
    primary key (consumer_id, subconsumer_id));
create table pgq_ext.completed_event (
    consumer_id text not null, subconsumer_id text not null default '', batch_id bigint not null,
    event_id bigint not null, primary key (consumer_id, subconsumer_id, batch_id, event_id));
create table pgq_ext.partial_batch (
    consumer_id text not null, subconsumer_id text not null default '', cur_batch_id bigint not null,
    primary key (consumer_id, subconsumer_id));
create function pgq_ext.get_last_tick(c text, s text)
returns bigint as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_ext.set_event_done(c text, b bigint, e bigint)
returns boolean as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_ext.upgrade_schema()
returns integer as $$ begin return null; end; $$ language plpgsql;
