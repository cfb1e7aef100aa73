# SPDX-License-Identifier: ISC
"""From PgQ 2.1 in place. The schema is made by hand, from what is known of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# What the script of 3.5 has, and 2.1 had otherwise.
OLD_FUNCTIONS = """
    create type pgq.ret_queue_info as (queue_name text, queue_ntables integer);
    create type pgq.ret_batch_event as (ev_id bigint, ev_data text);
    create function pgq.get_queue_info() returns setof pgq.ret_queue_info
        language sql as 'select null::text, 1';
    create function pgq.get_batch_events(x_batch_id bigint) returns setof pgq.ret_batch_event
        language sql as 'select 1::bigint, null::text';
    create function pgq.ticker(i_queue_name text, i_tick_id bigint) returns bigint
        language sql as 'select 1::bigint';
    create function pgq.insert_event(queue text, type text, data text) returns bigint
        language sql as 'select 1::bigint';
    create function pgq.event_failed(x_batch_id bigint, x_event_id bigint, x_reason text)
        returns integer language sql as 'select 1';
    create function pgq.register_consumer(text, text, int8) returns integer
        language sql as 'select 1';
    create function pgq.failed_event_count(text, text) returns integer language sql as 'select 1';
    create function pgq.logutriga() returns trigger language plpgsql as 'begin return null; end';
    create table captured (id int primary key, data text);
    create trigger capture after insert on captured
        for each row execute function pgq.logutriga('q');
"""
OLD_TABLES = """
    create schema pgq;
    create sequence pgq.batch_id_seq;
    create table pgq.consumer (co_id serial primary key, co_name text not null unique);
    create table pgq.queue (
        queue_id serial primary key, queue_name text not null unique,
        queue_ntables integer not null default 3, queue_cur_table integer not null default 0,
        queue_rotation_period interval not null default '2 hours',
        queue_switch_step1 bigint not null default txid_current(),
        queue_switch_step2 bigint default txid_current(),
        queue_switch_time timestamptz not null default now(),
        queue_external_ticker boolean not null default false,
        queue_ticker_max_count integer not null default 500,
        queue_ticker_max_lag interval not null default '3 seconds',
        queue_ticker_idle_period interval not null default '1 minute',
        queue_data_pfx text not null, queue_event_seq text not null, queue_tick_seq text not null);
    create table pgq.tick (
        tick_queue int4 not null references pgq.queue, tick_id bigint not null,
        tick_time timestamptz not null default now(),
        tick_snapshot txid_snapshot not null default txid_current_snapshot(),
        primary key (tick_queue, tick_id));
    create table pgq.subscription (
        sub_id serial primary key, sub_queue int4 not null references pgq.queue,
        sub_consumer int4 not null references pgq.consumer, sub_last_tick bigint not null,
        sub_active timestamptz not null default now(), sub_batch bigint, sub_next_tick bigint,
        unique (sub_queue, sub_consumer),
        foreign key (sub_queue, sub_last_tick) references pgq.tick);
    create unique index subscription_batch_idx on pgq.subscription (sub_batch);
    create table pgq.event_template (
        ev_id bigint not null, ev_time timestamptz not null,
        ev_txid bigint not null default txid_current(), ev_owner int4, ev_retry int4,
        ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text);
    create table pgq.retry_queue (
        ev_retry_after timestamptz not null, like pgq.event_template,
        primary key (ev_owner, ev_id), foreign key (ev_owner) references pgq.subscription);
    alter table pgq.retry_queue alter ev_txid drop not null, alter ev_owner set not null;
    create index rq_retry_idx on pgq.retry_queue (ev_retry_after);
    create table pgq.failed_queue (
        ev_failed_reason text, ev_failed_time timestamptz not null, like pgq.event_template,
        primary key (ev_owner, ev_id), foreign key (ev_owner) references pgq.subscription);
"""
# A queue whose consumer has a batch open, events after it, one that waits and one that has failed.
OLD_QUEUE = """
    create table pgq.event_1 () inherits (pgq.event_template);
    create sequence pgq.event_1_id_seq;
    create sequence pgq.event_1_tick_seq;
    create table pgq.event_1_0 (
        ev_id bigint not null default nextval('pgq.event_1_id_seq')) inherits (pgq.event_1);
    create table pgq.event_1_1 (like pgq.event_1_0 including defaults) inherits (pgq.event_1);
    create table pgq.event_1_2 (like pgq.event_1_0 including defaults) inherits (pgq.event_1);
    create index event_1_0_txid_idx on pgq.event_1_0 (ev_txid);
    create index event_1_1_txid_idx on pgq.event_1_1 (ev_txid);
    create index event_1_2_txid_idx on pgq.event_1_2 (ev_txid);
    insert into pgq.queue (queue_name, queue_data_pfx, queue_event_seq, queue_tick_seq)
    values ('q', 'pgq.event_1', 'pgq.event_1_id_seq', 'pgq.event_1_tick_seq');
    insert into pgq.consumer (co_name) values ('c');
"""
INSERT = "insert into pgq.event_1_0 (ev_time, ev_type, ev_data) values (now(), 't', %s)"
TICK = "insert into pgq.tick (tick_queue, tick_id) values (1, nextval('pgq.event_1_tick_seq'))"


@pytest.fixture
def old(make_db):
    """A database of 2.1 in the middle of its work."""
    db = make_db(empty=True)
    for part in (OLD_TABLES, OLD_QUEUE, OLD_FUNCTIONS, TICK):
        db.execute(part)
    db.execute("insert into pgq.subscription (sub_queue, sub_consumer, sub_last_tick)"
               " values (1, 1, 1)")  # fmt: skip
    db.execute(INSERT, ("open",))
    db.execute(TICK)
    db.execute("update pgq.subscription set sub_batch = nextval('pgq.batch_id_seq'),"
               " sub_next_tick = 2")  # fmt: skip
    db.execute(INSERT, ("ticked",))
    db.execute(TICK)
    db.execute(INSERT, ("not ticked",))
    db.execute("insert into pgq.retry_queue values"
               " (now() - interval '1 h', 500, now(), 5, 1, 0, 't', 'again')")  # fmt: skip
    db.execute("insert into pgq.failed_queue values"
               " ('broken', now(), 501, now(), 5, 1, 2, 't', 'failed')")  # fmt: skip
    return db


def load(server, db, script):
    """Load a script by psql, as a site does."""
    share = Path(db.value("select setting from pg_config() where name = 'SHAREDIR'"))
    done = subprocess.run(
        [server.program("psql"), "-X", "-q", "-d", db.conninfo, "-f", share / "skytools" / script],
        capture_output=True, text=True, check=False, env={**os.environ, "PGOPTIONS": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def read_all(db):
    batches = []
    while batch := db.value("select pgq.next_batch('q', 'c')"):
        rows = db.query("select ev_data from pgq.get_batch_events(%s)", (batch,))
        batches.append([data for (data,) in rows])
        assert db.value("select pgq.finish_batch(%s)", (batch,)) == 1
    return [batch for batch in batches if batch]


@pytest.mark.parametrize("script", ["pgq.sql", "pgq_pl.sql"])
def test_a_schema_of_2_1_goes_on_as_4_0(server, old, script):
    load(server, old, script)
    load(server, old, script)  # which changes nothing
    assert old.query("select queue_name, ticker_lag is not null from pgq.get_queue_info()") == [
        ("q", True)
    ]
    assert read_all(old) == [["open"], ["ticked"]]
    old.execute("insert into captured values (1, 'x')")
    assert old.value("select pgq.maint_retry_events()") == 1
    old.query("select pgq.insert_event('q', 't', 'new')")
    old.query("select pgq.force_tick('q')")
    old.query("select pgq.ticker('q')")
    (events,) = read_all(old)
    assert sorted(events) == ["again", "id=1&data=x", "new", "not ticked"]
    assert old.query(
        "select ev_data, ev_failed_reason, ev_consumer_name from pgq.failed_event_list('q', 'c')"
    ) == [("failed", "broken", "c")]
    assert old.value("select pgq.failed_event_count('q', 'c')") == 1
    with pytest.raises(Exception, match="duplicate key"):
        old.execute("insert into pgq.subscription (sub_queue, sub_consumer) values (1, 1)")


def test_which_then_becomes_the_extension(server, old):
    load(server, old, "pgq.sql")
    old.execute("create extension pgq version 'unpackaged'; alter extension pgq update")
    assert old.value("select pgq.version()") == "4.0"
    assert read_all(old) == [["open"], ["ticked"]]
