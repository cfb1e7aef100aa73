# SPDX-License-Identifier: ISC
"""Maintenance of a real database: each operation on its own, and the statements themselves."""

from __future__ import annotations

import logging

import pytest

from skytools.core.errors import DatabaseError
from skytools.core.metrics import Metrics
from skytools.daemons.ticker import api
from skytools.daemons.ticker.maintenance import MAX_REPEATS, run_maintenance
from skytools.daemons.ticker.metrics import TickerMetrics
from skytools.daemons.ticker.schedule import Due


@pytest.fixture
def registry():
    return Metrics()


@pytest.fixture
def maintain(db, registry):
    metrics = TickerMetrics(registry)

    def run(**changes):
        caps = api.capabilities(db)
        return run_maintenance(db, caps, metrics, lambda: False)

    return run


def add_operations(db, *names):
    db.execute("update pgq.queue set queue_extra_maint = %s", (list(names),))


def test_an_operation_that_fails_starves_no_other(db, maintain, registry, caplog):
    db.execute("select pgq.create_queue('q')")
    db.execute(
        "create table public.done (name text);"
        "create function public.fails(text) returns int language sql as 'select 1/0';"
        'create function public."Works Well"(text) returns int language sql'
        " as 'insert into public.done values ($1) returning 0'"
    )
    add_operations(db, "public.fails", "no such name();", "public.missing", 'public."Works Well"')
    with caplog.at_level(logging.ERROR):
        assert maintain() == 1
    assert db.query("select name from public.done") == [("q",)]
    assert len(caplog.records) == 3
    assert "division by zero; in public.fails(q)" in caplog.text
    text = registry.render().decode()
    assert f'skytools_ticker_errors_total{{database="{db.name}",stage="maint"}} 3.0' in text
    assert "last_success_timestamp_seconds{" not in text


def test_a_result_other_than_0_asks_for_another_call_up_to_a_bound(db, maintain, caplog):
    db.execute("select pgq.create_queue('q')")
    db.execute(
        "create sequence public.calls;"
        "create function public.thrice(text) returns int language sql"
        " as 'select (nextval(''public.calls'') < 3)::int';"
        "create sequence public.more;"
        "create function public.always(text) returns int language sql"
        " as 'select nextval(''public.more'')::int'"
    )
    add_operations(db, "public.thrice", "public.always")
    assert maintain() == 2
    assert db.value("select last_value from public.calls") == 3
    assert db.value("select last_value from public.more") == MAX_REPEATS
    assert "asks for more than" in caplog.text


def test_vacuum_runs_and_what_comes_after_it_too(db, maintain, registry):
    """In 3.5 the answer to a vacuum ended the run."""
    db.execute(
        "create table public.done (name text);"
        "create or replace function pgq.maint_operations(out func_name text, out func_arg text)"
        " returns setof record language sql as $$ values ('vacuum', 'pgq.tick'),"
        " ('vacuum analyze', 'pgq.subscription'), ('public.last', null) $$;"
        "create function public.last() returns int language sql"
        " as 'insert into public.done values (''last'') returning 0'"
    )
    assert maintain() == 3
    assert db.query("select name from public.done") == [("last",)]
    text = registry.render().decode()
    assert 'operation="vacuum"' in text
    assert "last_success_timestamp_seconds{" in text


def test_databases_without_a_list_of_operations_are_rotated_too(db, maintain):
    db.execute("select pgq.create_queue('q')")
    db.execute(
        "alter extension pgq drop function pgq.maint_operations();"
        "drop function pgq.maint_operations()"
    )
    assert maintain() == 2


def test_a_function_without_a_result_is_called_once(db):
    db.execute("create function public.nothing() returns void language sql as ''")
    assert api.run_operation(db, "public.nothing", None) == 0


def test_session_settings_override_those_of_the_database(db, make_db):
    db.execute(
        f"alter database {db.name} set default_transaction_isolation = 'serializable';"
        f"alter database {db.name} set statement_timeout = 1000"
    )
    db.close()
    db.on_connect(api.session_settings(0.25))
    assert db.value("show transaction_isolation") == "read committed"
    assert db.value("show statement_timeout") == "0"
    assert db.value("show lock_timeout") == "250ms"


def test_what_a_database_can_do_is_found_out(db, make_db):
    caps = api.capabilities(db)
    assert (caps.standby, caps.ticker, caps.rounds, caps.maint_operations) == (
        False,
        True,
        True,
        True,
    )
    empty = api.capabilities(make_db(empty=True))
    assert (empty.ticker, empty.rounds, empty.retry, empty.version) == (False,) * 4


def test_every_statement_fits_the_extension(db, make_db):
    """A row of the right shape from each; a changed signature fails here."""
    db.execute("select pgq.create_queue('q'); select pgq.register_consumer('q', 'c')")
    assert api.ticker_lock(db)
    (look,) = api.ticker_round(db, Due(True, ()))
    assert (look.queue_id, look.queue_name, look.error) == (1, "q", None)
    assert api.ticker_round(db, Due(False, [99])) == []
    assert api.glance(db) == ([1], [])
    db.execute("select pgq.insert_event('q', 't', 'x')")
    assert api.glance(db) == ([1], [1])
    api.tick_one(db, "q")
    assert isinstance(api.ticker_sleep(db, [1]), list)
    api.ticker_wake(db, None)
    assert api.tickable_ids(db) == {1: "q"}
    assert api.tick_all(db) >= 0
    (queue,) = api.queue_stats(db)
    assert (queue.queue, queue.events, queue.paused) == ("q", 1, False)
    (consumer,) = api.consumer_stats(db)
    assert (consumer.queue, consumer.consumer, consumer.pending) == ("q", "c", 1)
    assert api.retry_events(db) == 0
    assert api.version(db)
    assert db.name in api.database_names(db)
    with pytest.raises(DatabaseError):
        api.tick_one(db, "none")


def test_what_holds_up_rotation_and_who_is_gone_is_read(db):
    db.execute("select pgq.create_queue('q')")
    db.execute("select pgq.register_consumer('q', 'c')")
    db.execute("select pgq.set_queue_config('q', 'gone_policy', 'detach')")
    db.execute("select pgq.set_queue_config('q', 'gone_after', '1 h')")
    db.execute("select pgq.insert_event('q', 't', 'd')")
    db.execute("select pgq.force_tick('q')")
    db.execute("select pgq.ticker('q')")
    assert api.gone_consumers(db) == []
    db.execute("update pgq.queue set queue_rotation_period = '0'")
    db.execute("select pgq.maint_rotate_tables_step1('q')")
    db.execute("select pgq.maint_rotate_tables_step2()")
    db.execute("select pgq.force_tick('q')")
    db.execute("select pgq.ticker('q')")
    db.execute("update pgq.tick set tick_time = tick_time - interval '2 h'")
    db.execute("update pgq.subscription set sub_active = sub_active - interval '2 h'")
    [gone] = api.gone_consumers(db)
    assert (gone.queue, gone.consumer, gone.detached) == ("q", "c", False)
    assert 7200 < gone.unread < 7300
    [blocker] = api.blockers(db)
    assert (blocker.queue, blocker.reason, blocker.who) == ("q", "consumer", "c")


def test_a_consumer_that_is_gone_is_detached_before_rotation(db, maintain):
    test_what_holds_up_rotation_and_who_is_gone_is_read(db)
    assert maintain() > 0
    assert [gone.detached for gone in api.gone_consumers(db)] == [True]
    assert {blocker.reason for blocker in api.blockers(db)} <= {"maintenance"}
    assert db.value("select queue_cur_table from pgq.queue") == 1
