-- SPDX-License-Identifier: ISC
-- Stands for pgq_node 3.5: what it has in the catalog, with nothing in it. For the test of updates.
create schema pgq_node;
grant usage on schema pgq_node to public;

create table pgq_node.node_location (
    queue_name text not null,
    node_name text not null,
    node_location text not null,
    dead boolean not null default false,
    primary key (queue_name, node_name)
);
create table pgq_node.node_info (
    queue_name text not null primary key,
    node_type text not null check (node_type in ('root', 'branch', 'leaf')),
    node_name text not null,
    worker_name text,
    combined_queue text,
    node_attrs text,
    foreign key (queue_name, node_name) references pgq_node.node_location,
    check (case when node_type = 'root' then worker_name is not null and combined_queue is null
                when node_type = 'branch' then worker_name is not null and combined_queue is null
                when node_type = 'leaf' then worker_name is not null
                else false end)
);
create table pgq_node.local_state (
    queue_name text not null references pgq_node.node_info,
    consumer_name text not null,
    provider_node text not null,
    last_tick_id bigint not null,
    cur_error text,
    paused boolean not null default false,
    uptodate boolean not null default false,
    primary key (queue_name, consumer_name),
    foreign key (queue_name, provider_node) references pgq_node.node_location
);
create table pgq_node.subscriber_info (
    queue_name text not null references pgq_node.node_info,
    subscriber_node text not null,
    worker_name text not null references pgq.consumer (co_name),
    watermark_name text not null references pgq.consumer (co_name),
    primary key (queue_name, subscriber_node),
    foreign key (queue_name, subscriber_node) references pgq_node.node_location
);
select pg_catalog.pg_extension_config_dump('pgq_node.node_location', '');
select pg_catalog.pg_extension_config_dump('pgq_node.node_info', '');
select pg_catalog.pg_extension_config_dump('pgq_node.local_state', '');
select pg_catalog.pg_extension_config_dump('pgq_node.subscriber_info', '');

create function pgq_node.change_consumer_provider(
    i_queue_name text, i_consumer_name text, i_new_provider text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.create_node(
    i_queue_name text, i_node_type text, i_node_name text, i_worker_name text, i_provider_name text,
    i_global_watermark bigint, i_combined_queue text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.demote_root(
    i_queue_name text, i_step integer, i_new_provider text, out ret_code integer, out ret_note text, out last_tick
    bigint)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.drop_node(
    i_queue_name text, i_node_name text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.get_consumer_info(
    i_queue_name text, out consumer_name text, out provider_node text, out last_tick_id bigint, out paused boolean,
    out uptodate boolean, out cur_error text)
returns setof record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.get_consumer_state(
    i_queue_name text, i_consumer_name text, out ret_code integer, out ret_note text, out node_type text, out
    node_name text, out completed_tick bigint, out provider_node text, out provider_location text, out paused
    boolean, out uptodate boolean, out cur_error text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.get_node_info(
    i_queue_name text, out ret_code integer, out ret_note text, out node_type text, out node_name text, out
    global_watermark bigint, out local_watermark bigint, out provider_node text, out provider_location text, out
    combined_queue text, out combined_type text, out worker_name text, out worker_paused boolean, out
    worker_uptodate boolean, out worker_last_tick bigint, out node_attrs text, out target_for text[])
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.get_queue_locations(
    i_queue_name text, out node_name text, out node_location text, out dead boolean)
returns setof record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.get_subscriber_info(
    i_queue_name text, out node_name text, out worker_name text, out node_watermark bigint)
returns setof record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.get_worker_state(
    i_queue_name text, out ret_code integer, out ret_note text, out node_type text, out node_name text, out
    completed_tick bigint, out provider_node text, out provider_location text, out paused boolean, out uptodate
    boolean, out cur_error text, out worker_name text, out global_watermark bigint, out local_watermark bigint, out
    local_queue_top bigint, out combined_queue text, out combined_type text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.is_leaf_node(
    i_queue_name text)
returns boolean as $$ begin return null; end; $$ language plpgsql;
create function pgq_node.is_root_node(
    i_queue_name text)
returns boolean as $$ begin return null; end; $$ language plpgsql;
create function pgq_node.maint_watermark(
    i_queue_name text)
returns integer as $$ begin return null; end; $$ language plpgsql;
create function pgq_node.promote_branch(
    i_queue_name text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.register_consumer(
    i_queue_name text, i_consumer_name text, i_provider_node text, i_custom_tick_id bigint, out ret_code integer,
    out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.register_location(
    i_queue_name text, i_node_name text, i_node_location text, i_dead boolean, out ret_code integer, out ret_note
    text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.register_subscriber(
    i_queue_name text, i_remote_node_name text, i_remote_worker_name text, i_custom_tick_id bigint, out ret_code
    integer, out ret_note text, out global_watermark bigint)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_consumer_completed(
    i_queue_name text, i_consumer_name text, i_tick_id bigint, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_consumer_error(
    i_queue_name text, i_consumer_name text, i_error_msg text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_consumer_paused(
    i_queue_name text, i_consumer_name text, i_paused boolean, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_consumer_uptodate(
    i_queue_name text, i_consumer_name text, i_uptodate boolean, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_global_watermark(
    i_queue_name text, i_watermark bigint, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_node_attrs(
    i_queue_name text, i_node_attrs text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_partition_watermark(
    i_combined_queue_name text, i_part_queue_name text, i_watermark bigint, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.set_subscriber_watermark(
    i_queue_name text, i_node_name text, i_watermark bigint, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.unregister_consumer(
    i_queue_name text, i_consumer_name text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.unregister_location(
    i_queue_name text, i_node_name text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.unregister_subscriber(
    i_queue_name text, i_remote_node_name text, out ret_code integer, out ret_note text)
returns record as $$ begin return; end; $$ language plpgsql security definer;
create function pgq_node.upgrade_schema()
returns integer as $$ begin return null; end; $$ language plpgsql;
create function pgq_node.version()
returns text as $$ begin return null; end; $$ language plpgsql;
