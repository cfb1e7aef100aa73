-- SPDX-License-Identifier: ISC
-- Clients read and update these tables: names, order and types of the columns are contract. New columns go last.

-- Members of each cascade, as this database knows them.
create table if not exists pgq_node.node_location (
    queue_name text not null,
    node_name text not null,
    -- Connect string of libpq.
    node_location text not null,
    dead boolean not null default false,
    constraint node_location_pkey primary key (queue_name, node_name)
);

-- The part that this database plays in each cascade.
create table if not exists pgq_node.node_info (
    queue_name text not null,
    node_type text not null,
    node_name text not null,
    worker_name text,
    -- Leaf only: local queue into which the worker copies the events.
    combined_queue text,
    -- Urlencoded: sync_watermark=node,node
    node_attrs text,
    constraint node_info_pkey primary key (queue_name),
    constraint node_info_queue_name_node_name_fkey foreign key (queue_name, node_name)
        references pgq_node.node_location (queue_name, node_name),
    constraint node_info_node_type_check check (node_type in ('root', 'branch', 'leaf')),
    constraint node_info_check check (
        case when node_type = 'root' then worker_name is not null and combined_queue is null
             when node_type = 'branch' then worker_name is not null and combined_queue is null
             when node_type = 'leaf' then worker_name is not null
             else false
        end)
);

-- Consumers that read another node and write here, the worker among them: what they have done, whether they may run.
create table if not exists pgq_node.local_state (
    queue_name text not null,
    consumer_name text not null,
    provider_node text not null,
    last_tick_id bigint not null,
    cur_error text,
    paused boolean not null default false,
    -- The consumer has seen the latest change of its settings.
    uptodate boolean not null default false,
    -- Counts the changes of the row: last part of the key, so that the row of now is found without walking over all that it
    -- was before and that cannot be vacuumed while somebody holds a snapshot. See pgq_node._state_version.
    row_version bigint not null default 0,
    constraint local_state_pkey primary key (queue_name, consumer_name, row_version),
    constraint local_state_queue_name_fkey foreign key (queue_name) references pgq_node.node_info (queue_name),
    constraint local_state_queue_name_provider_node_fkey foreign key (queue_name, provider_node)
        references pgq_node.node_location (queue_name, node_name)
);

-- Nodes that read this one: both names are consumers of the queue.
create table if not exists pgq_node.subscriber_info (
    queue_name text not null,
    subscriber_node text not null,
    worker_name text not null,
    watermark_name text not null,
    constraint subscriber_info_pkey primary key (queue_name, subscriber_node),
    constraint subscriber_info_queue_name_fkey foreign key (queue_name) references pgq_node.node_info (queue_name),
    constraint subscriber_info_queue_name_subscriber_node_fkey foreign key (queue_name, subscriber_node)
        references pgq_node.node_location (queue_name, node_name),
    constraint subscriber_info_worker_name_fkey foreign key (worker_name) references pgq.consumer (co_name),
    constraint subscriber_info_watermark_name_fkey foreign key (watermark_name) references pgq.consumer (co_name)
);

-- What administrators have done to a cascade from here. A row without outcome is at work, or was interrupted.
create table if not exists pgq_node.admin_journal (
    id bigint generated always as identity,
    queue_name text not null,
    command text not null,
    by_whom text not null default session_user,
    started timestamptz not null default now(),
    -- The latest step that was begun, and when.
    step text,
    step_time timestamptz,
    ended timestamptz,
    -- done, or why not.
    outcome text,
    constraint admin_journal_pkey primary key (id)
);
