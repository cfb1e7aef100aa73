# SPDX-License-Identifier: ISC
"""What fails stays alone: a queue, a database, a server, a second or a killed pgqd."""

from __future__ import annotations

import os
import signal

import pytest

from skytools.core import processes
from skytools.core.db import Database
from tests.fixtures.ticker import asleep, insert_event, make_queue, wait_tick

NEVER = 3600


def backends(database, program):
    """Return pids of the ticker's connections to a database."""
    return [
        row[0]
        for row in database.query(
            "select pid from pg_stat_activity"
            " where application_name = %s and datname = current_database()",
            (program,),
        )
    ]


def ticks_within(database, queue_id, queue="q", seconds=120.0):
    """Insert an event and wait for its tick."""
    insert_event(database, queue)
    wait_tick(database, queue_id, seconds)


def test_a_broken_queue_stops_no_other(server, db, start_ticker, wait_until):
    make_queue(db, "a_broken")
    good = make_queue(db, "good")
    ticker = start_ticker(server, db.name, look_period=1)
    db.execute(
        "drop sequence"
        f" {db.value('select queue_tick_seq from pgq.queue where queue_name = %s', ('a_broken',))}"
    )
    insert_event(db, "a_broken")
    ticker.program.wait_output("queue a_broken cannot be ticked")
    for _ in range(5):
        ticks_within(db, good, "good")
    errors = f'skytools_ticker_errors_total{{database="{db.name}",stage="tick"}}'
    assert ticker.metrics()[errors] >= 1
    ticker.wait_status("1/1 databases ticking")
    assert ticker.output.count("cannot be ticked") == 1


def test_a_queue_whose_sequences_are_locked_stops_no_other(server, db, start_ticker):
    """As by an open transaction that drops the queue."""
    make_queue(db, "a_locked")
    good = make_queue(db, "good")
    start_ticker(server, db.name, look_period=1)
    holder = Database("holder", db.conninfo)
    holder.execute("select pgq.drop_queue('a_locked')")
    for _ in range(5):
        ticks_within(db, good, "good")
    holder.rollback()
    holder.close()
    db.listen("pgq_tick_1")
    ticks_within(db, 1, "a_locked")


def test_a_locked_database_stops_no_other(server, db, make_db, start_ticker, wait_until):
    other = make_db()
    queue_id, other_id = make_queue(db), make_queue(other)
    ticker = start_ticker(server, db.name, other.name)
    holder = Database("holder", db.conninfo)
    holder.execute("lock table pgq.queue in access exclusive mode")
    ticker.wait_status(f"1/2 databases ticking; {db.name}: ")
    for _ in range(5):
        ticks_within(other, other_id)
    # Told once, however often it is tried again: by the ticking thread and perhaps by another.
    tries = f'skytools_ticker_errors_total{{database="{db.name}",stage="tick"}}'
    wait_until(lambda: ticker.metrics().get(tries, 0) >= 3, what="more tries")
    assert ticker.output.count("ERROR") <= 3
    holder.rollback()
    ticker.wait_status("2/2 databases ticking")
    ticks_within(db, queue_id)
    holder.close()


def test_maintenance_that_waits_does_not_stop_the_ticks_of_its_database(
    server, db, start_ticker, wait_until
):
    queue_id = make_queue(db)
    db.execute(
        "create function public.wait_for_ever(text) returns int"
        " language sql as 'select 0 from pg_sleep(3600)'"
    )
    db.execute("update pgq.queue set queue_extra_maint = '{public.wait_for_ever}'")
    ticker = start_ticker(server, db.name, maint_period=0.1)
    wait_until(
        lambda: db.value("select count(*) from pg_stat_activity where query ~ 'wait_for_ever'"
                         " and state = 'active' and pid <> pg_backend_pid()"),
        what="maintenance to hang",
    )  # fmt: skip
    for _ in range(5):
        ticks_within(db, queue_id)
    ticker.program.signal(signal.SIGTERM)
    assert ticker.program.wait() == 0


def test_a_backend_that_hangs_stops_no_other_database(
    server, db, make_db, start_ticker, wait_until
):
    """SIGSTOP to the server's side: the statement never returns."""
    other = make_db()
    make_queue(db)
    other_id = make_queue(other)
    ticker = start_ticker(server, db.name, other.name, look_period=0.2, stats_period=0.2)
    stopped = wait_until(lambda: backends(db, "pgqd"), what="connections of pgqd")
    processes.send(stopped, signal.SIGSTOP)
    try:
        for _ in range(5):
            ticks_within(other, other_id)
        ticker.program.signal(signal.SIGTERM)
        assert ticker.program.wait() == 0
    finally:
        processes.send(stopped, signal.SIGCONT)


def test_killed_while_asleep_and_started_again(server, db, start_ticker, wait_until):
    queue_id = make_queue(db)
    ticker = start_ticker(server, db.name, look_period=NEVER, sleep_after=0.05)
    for _ in range(3):
        wait_until(lambda: asleep(db), what="sleep")
        ticker.program.kill()
        insert_event(db)  # its notification goes to nobody
        db.notifies()
        ticker.start()
        wait_tick(db, queue_id)


def test_the_second_ticker_waits_and_takes_over(server, db, start_ticker):
    queue_id = make_queue(db)
    first = start_ticker(server, db.name)
    first.wait_status("1/1 databases ticking")
    second = start_ticker(server, db.name)
    second.wait_status(f"0/1 databases ticking; {db.name}: another ticker serves it")
    assert second.metrics()['skytools_ticker_databases{state="waiting"}'] == 1
    for _ in range(3):
        ticks_within(db, queue_id)
    first.program.kill()
    second.wait_status("1/1 databases ticking")
    ticks_within(db, queue_id)


def test_an_old_ticker_beside_does_no_harm(server, db, start_ticker, wait_until):
    """It calls pgq.ticker() all the time; ours sleeps and is woken as if it were alone."""
    queue_id = make_queue(db)
    start_ticker(server, db.name, look_period=NEVER, sleep_after=0.05)
    for _ in range(3):
        wait_until(lambda: asleep(db), what="sleep")
        db.execute("select pgq.ticker()")
        db.execute("select pgq.ticker('q')")
        db.notifies()
        ticks_within(db, queue_id)


def test_a_server_that_is_killed_comes_back(make_server, start_ticker, wait_until):
    server = make_server("killed", synchronous_commit="on")
    server.createdb("a", "skytools_template")
    server.createdb("b", "skytools_template")
    databases = {n: Database(n, server.conninfo(n), autocommit=True) for n in ("a", "b")}
    ids = {name: make_queue(database) for name, database in databases.items()}
    ticker = start_ticker(server, "a", "b", check_period=NEVER)
    ticker.wait_status("2/2 databases ticking")
    failed = 'skytools_ticker_databases{state="failed"}'
    for _ in range(2):
        server.kill()
        ticker.wait_status("0/2 databases ticking; a: ")
        wait_until(lambda: ticker.metrics()[failed] == 2, what="both to be counted as failed")
        server.start()
        ticker.wait_status("2/2 databases ticking")
        for name, database in databases.items():
            database.close()
            database.connect()
            ticks_within(database, ids[name])
    for database in databases.values():
        database.close()


def test_a_connection_that_is_lost_is_made_again(server, db, start_ticker, wait_until):
    """As a pooler or an administrator cuts it."""
    queue_id = make_queue(db)
    start_ticker(server, db.name, look_period=NEVER, sleep_after=0.05)
    for _ in range(3):
        old = wait_until(lambda: backends(db, "pgqd"), what="connections of pgqd")
        for pid in old:
            db.execute("select pg_terminate_backend(%s)", (pid,))
        db.notifies()
        ticks_within(db, queue_id)


def test_connections_are_replaced_at_the_end_of_their_lifetime(
    server, db, start_ticker, wait_until
):
    queue_id = make_queue(db)
    start_ticker(server, db.name, connection_lifetime=0.2, stats_period=0.2)
    old = set(wait_until(lambda: backends(db, "pgqd"), what="connections of pgqd"))
    wait_until(lambda: old.isdisjoint(backends(db, "pgqd")), what="all of them to be replaced")
    ticks_within(db, queue_id)


def test_a_missing_database_is_told_and_the_others_tick(server, db, start_ticker, wait_until):
    queue_id = make_queue(db)
    ticker = start_ticker(server, db.name, "no_such_database")
    ticker.wait_status(
        '1/2 databases ticking; no_such_database: database "no_such_database" does not exist,'
        " next try in "
    )
    ticks_within(db, queue_id)
    assert "Traceback" not in ticker.output
    assert ticker.output.count("ERROR no_such_database: ") == 1


def test_a_database_that_gets_and_loses_pgq(server, make_db, start_ticker):
    database = make_db(empty=True)
    ticker = start_ticker(server, database.name, check_period=0.2)
    ticker.program.wait_output(f"{database.name}: no pgq, ignored")
    ticker.wait_status("0/0 databases ticking")
    database.execute("create extension pgq")
    ticker.wait_status("1/1 databases ticking")
    ticks_within(database, make_queue(database))
    database.execute("drop extension pgq cascade")
    ticker.wait_status("0/0 databases ticking")
    assert ticker.program.running


@pytest.mark.slow
def test_a_standby_is_ignored_until_it_is_promoted(make_server, start_ticker, wait_until):
    primary = make_server("primary")
    primary.createdb("a", "skytools_template")
    primary.stop()
    (primary.datadir / "standby.signal").touch()
    os.chown(primary.datadir / "standby.signal", *owner(primary.datadir))
    primary.start()
    ticker = start_ticker(primary, "a", check_period=0.5)
    ticker.program.wait_output("a: standby server, ignored")
    admin = Database("admin", primary.conninfo("a"), autocommit=True)
    admin.execute("select pg_promote()")
    ticker.wait_status("1/1 databases ticking")
    ticks_within(admin, make_queue(admin))
    admin.close()


def owner(path):
    status = path.stat()
    return status.st_uid, status.st_gid
