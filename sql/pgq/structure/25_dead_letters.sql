-- SPDX-License-Identifier: ISC
-- Dead letters: events that a consumer has given up. The first columns are those of PgQ 2. They outlive consumer and
-- queue, so these are kept by name, and there is no foreign key. Repeatable, as updates run this file too.
create table if not exists pgq.failed_queue (
    ev_failed_reason text,
    ev_failed_time timestamptz not null,
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
    ev_queue_name text not null,
    ev_consumer_name text not null,
    -- How often it was tried in all.
    ev_tries int4 not null,
    constraint fq_pkey primary key (ev_owner, ev_id)
);
