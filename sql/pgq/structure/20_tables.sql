-- SPDX-License-Identifier: ISC
-- Clients read and update these tables: names, order and types of the columns are contract. New columns go last.

-- Names of consumers, each of them with one cursor per queue in pgq.subscription.
create table if not exists pgq.consumer (
    co_id serial,
    co_name text not null,
    constraint consumer_pkey primary key (co_id),
    constraint consumer_name_uq unique (co_name)
);

-- Queues and their settings.
create table if not exists pgq.queue (
    queue_id serial,
    queue_name text not null,
    queue_ntables integer not null default 3,
    queue_cur_table integer not null default 0,
    queue_rotation_period interval not null default '2 hours',
    queue_switch_step1 bigint not null default txid_current(),
    queue_switch_step2 bigint default txid_current(),
    queue_switch_time timestamptz not null default now(),
    queue_external_ticker boolean not null default false,
    queue_disable_insert boolean not null default false,
    queue_ticker_paused boolean not null default false,
    queue_ticker_max_count integer not null default 500,
    queue_ticker_max_lag interval not null default '10 milliseconds',
    queue_ticker_idle_period interval not null default '1 minute',
    queue_per_tx_limit integer,
    queue_data_pfx text not null,
    queue_event_seq text not null,
    queue_tick_seq text not null,
    queue_extra_maint text[],
    -- Sequence whose value tells producers whether the ticker sleeps: 1 awake, 2 asleep. NULL: never asleep.
    queue_wake_seq text,
    -- Batches have no more events than that, NULL: as many as there are between two ticks.
    queue_batch_max_events integer,
    -- How long events are kept after all consumers have read them, NULL: until the next rotation.
    queue_retention interval,
    -- When the next rotation was found free of consumers.
    queue_read_time timestamptz,
    -- A consumer that has left events unread for so long is gone, NULL: none ever is; then what: keep, alarm, detach.
    queue_gone_after interval,
    queue_gone_policy text not null default 'keep',
    constraint queue_pkey primary key (queue_id),
    constraint queue_name_uq unique (queue_name)
);

-- Snapshots: a batch is what became visible between two of them.
create table if not exists pgq.tick (
    tick_queue int4 not null,
    tick_id bigint not null,
    tick_time timestamptz not null default now(),
    tick_snapshot txid_snapshot not null default txid_current_snapshot(),
    tick_event_seq bigint not null,
    -- A tick that cuts what is between two others: of the events that this snapshot sees, those up to this id are seen
    -- too. NULL: all and only those that tick_snapshot sees.
    tick_part_snapshot txid_snapshot,
    tick_part_end bigint,
    constraint tick_pkey primary key (tick_queue, tick_id),
    constraint tick_queue_fkey foreign key (tick_queue) references pgq.queue (queue_id)
);

create sequence if not exists pgq.batch_id_seq;

-- Cursors of consumers. sub_id is not unique: subconsumers of pgq_coop share that of their main consumer.
create table if not exists pgq.subscription (
    sub_id serial not null,
    sub_queue int4 not null,
    sub_consumer int4 not null,
    sub_last_tick bigint,
    sub_active timestamptz not null default now(),
    sub_batch bigint,
    sub_next_tick bigint,
    -- Rotation no longer waits for the consumer since then: see pgq.maint_gone_consumers.
    sub_detached timestamptz,
    -- Counts the changes of the row: part of the key, so that an index leads to the row of now, past all that it was
    -- before and that cannot be vacuumed while somebody holds a snapshot. See pgq._subscription_version.
    sub_version bigint not null default 0,
    constraint subscription_pkey primary key (sub_queue, sub_consumer, sub_version),
    constraint subscription_batch_idx unique (sub_batch),
    constraint sub_queue_fkey foreign key (sub_queue) references pgq.queue (queue_id),
    constraint sub_consumer_fkey foreign key (sub_consumer) references pgq.consumer (co_id)
);

-- Parent of all event tables: reading it shows the events of all queues.
create table if not exists pgq.event_template (
    ev_id bigint not null,
    ev_time timestamptz not null default now(),
    ev_txid bigint not null default txid_current(),
    ev_owner int4,
    ev_retry int4,
    ev_type text,
    ev_data text,
    ev_extra1 text,
    ev_extra2 text,
    ev_extra3 text,
    ev_extra4 text
);

-- Events that wait to be given again to the consumer that asked for it: ev_owner is its sub_id.
create table if not exists pgq.retry_queue (
    ev_retry_after timestamptz not null,
    ev_queue int4 not null,
    ev_id bigint not null,
    ev_time timestamptz not null,
    ev_txid bigint,
    ev_owner int4 not null,
    ev_retry int4,
    ev_type text,
    ev_data text,
    ev_extra1 text,
    ev_extra2 text,
    ev_extra3 text,
    ev_extra4 text,
    constraint rq_pkey primary key (ev_owner, ev_id),
    constraint rq_queue_id_fkey foreign key (ev_queue) references pgq.queue (queue_id)
);
create index if not exists rq_retry_idx on pgq.retry_queue (ev_retry_after);
