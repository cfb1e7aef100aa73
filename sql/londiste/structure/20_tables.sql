-- SPDX-License-Identifier: ISC
-- Clients read and update these tables: names, order and types of the columns are contract. New columns go last.

-- Tables that each queue has, and what is done with them here.
create table if not exists londiste.table_info (
    nr serial not null,
    queue_name text not null,
    -- Name in the queue: schema.table, unquoted, parted at the first dot.
    table_name text not null,
    -- This node takes part with a table of its own.
    local boolean not null default false,
    -- NULL (to be copied), in-copy, catching-up, wanna-sync:TICK, do-sync:TICK, ok.
    merge_state text,
    -- What the copy has seen: events visible in it are not applied again.
    custom_snapshot text,
    -- Indexes and constraints that are gone until the copy is done, as statements.
    dropped_ddl text,
    -- Urlencoded: handler, copy_node, skip_truncate, max_parallel_copy.
    table_attrs text,
    -- Name here, where it is not table_name.
    dest_table text,
    -- What the copy has failed with last; gone as soon as it is a step further.
    copy_error text,
    constraint table_info_pkey primary key (queue_name, table_name),
    constraint table_info_queue_name_fkey foreign key (queue_name)
        references pgq_node.node_info (queue_name) on delete cascade,
    constraint table_info_check check (dropped_ddl is null or merge_state in ('in-copy', 'catching-up'))
);

-- Sequences of each queue. last_value: the last value that the root has published, ahead of what it has used.
create table if not exists londiste.seq_info (
    nr serial not null,
    queue_name text not null,
    seq_name text not null,
    local boolean not null default false,
    last_value bigint not null,
    constraint seq_info_pkey primary key (queue_name, seq_name),
    constraint seq_info_queue_name_fkey foreign key (queue_name)
        references pgq_node.node_info (queue_name) on delete cascade
);

-- Files of DDL that were executed here: once in a database, by whichever queue they come first.
create table if not exists londiste.applied_execute (
    queue_name text not null,
    execute_file text not null,
    execute_time timestamptz not null default now(),
    execute_sql text not null,
    execute_attrs text,
    constraint applied_execute_pkey primary key (execute_file)
);

-- Foreign keys that were dropped for a copy, and are to come back when both ends are in sync.
create table if not exists londiste.pending_fkeys (
    from_table text not null,
    to_table text not null,
    fkey_name text not null,
    -- alter table ... add constraint ...
    fkey_def text not null,
    constraint pending_fkeys_pkey primary key (from_table, fkey_name)
);
