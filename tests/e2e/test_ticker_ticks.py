# SPDX-License-Identifier: ISC
"""pgqd at work: a tick soon after an event, none without, and no event missed."""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time

import pytest

from skytools.core.db import Database
from tests.fixtures.ticker import asleep, insert_event, make_queue, wait_tick

# Long enough that nothing but NOTIFY and the schedule of the awake can bring a tick.
NEVER = 3600


def visible_events(database, queue_id):
    """Return the ids of the events that the last tick's snapshot sees."""
    rows = database.query(
        "select ev_id from pgq.event_template, lateral (select tick_snapshot from pgq.tick"
        " where tick_queue = %s order by tick_id desc limit 1) t"
        " where txid_visible_in_snapshot(ev_txid, tick_snapshot)",
        (queue_id,),
    )
    return {row[0] for row in rows}


def test_the_first_event_after_silence_is_ticked_in_milliseconds(
    server, db, start_ticker, wait_until, capsys, record_property
):
    queue_id = make_queue(db)
    producer = Database("producer", db.conninfo, autocommit=True)
    start_ticker(server, db.name, look_period=NEVER, sleep_after=0.1)
    latencies = []
    for _ in range(20):
        wait_until(lambda: asleep(db), what="the queue to be put to sleep")
        insert_event(producer)
        committed = time.monotonic()
        wait_tick(db, queue_id)
        latencies.append((time.monotonic() - committed) * 1000)
    producer.close()
    record_property("median_ms", round(statistics.median(latencies), 1))
    with capsys.disabled():
        sys.stdout.write(f" [first event to tick: {statistics.median(latencies):.1f} ms] ")
    # Nothing else would bring it in less than an hour; how quick it can be says the best.
    assert min(latencies) < 500


def test_a_busy_queue_is_ticked_again_and_again_and_never_notified_by_producers(
    server, db, make_db, start_ticker, wait_until
):
    queue_id = make_queue(db)
    # However long this machine takes for a round, the queue is not idle between two.
    start_ticker(server, db.name, look_period=NEVER, sleep_after=NEVER)
    listener = Database("listener", db.conninfo, autocommit=True)
    insert_event(db)
    wait_tick(db, queue_id)
    wait_until(lambda: not asleep(db), what="the flag to be set awake")
    listener.listen("pgq_wakeup")
    ids = set()
    for _ in range(30):
        ids.add(insert_event(db))
        wait_tick(db, queue_id)
    assert ids <= visible_events(db, queue_id)
    assert listener.notifies() == []
    listener.close()


def test_no_event_is_missed_between_falling_asleep_and_waking(server, db, start_ticker):
    """Producers hit the moments around falling asleep; nothing else would bring the tick."""
    queue_id = make_queue(db)
    ticker = start_ticker(server, db.name, look_period=NEVER, sleep_after=0.01)
    faults = []

    def produce(seed):
        dice = random.Random(seed)
        database = Database(f"producer{seed}", db.conninfo, autocommit=False)
        database.listen(f"pgq_tick_{queue_id}")
        try:
            for _ in range(60):
                event = insert_event(database)
                time.sleep(dice.choice([0, 0, 0.001, 0.02]))  # inside the transaction
                database.commit()
                deadline = time.monotonic() + 120
                while event not in visible_events(database, queue_id):
                    database.commit()
                    assert time.monotonic() < deadline, f"event {event} is in no tick"
                database.commit()
                time.sleep(dice.uniform(0.005, 0.03))
        except AssertionError as exc:
            faults.append(exc)
        finally:
            database.close()

    threads = [threading.Thread(target=produce, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == [], ticker.output


def test_events_written_past_the_functions_are_found(server, db, start_ticker, wait_until):
    """COPY and INSERT into the event table read no flag; a prepared transaction cannot notify."""
    queue_id = make_queue(db)
    start_ticker(server, db.name, look_period=0.2, sleep_after=0.05)
    for _ in range(3):
        wait_until(lambda: asleep(db), what="sleep")
        table = db.value("select pgq.current_event_table('q')")
        event = db.value(
            f"insert into {table} (ev_time, ev_type) values (now(), 't') returning ev_id"
        )
        wait_until(lambda e=event: e in visible_events(db, queue_id), what="a tick")


def test_a_late_committer_is_delivered(server, db, start_ticker, wait_until):
    """Its events were numbered before a tick that did not see them; the flag was awake then."""
    queue_id = make_queue(db)
    start_ticker(server, db.name, look_period=NEVER, sleep_after=0.1)
    late = Database("late", db.conninfo)
    early = Database("early", db.conninfo, autocommit=True)
    event = insert_event(late)
    insert_event(early)
    wait_tick(db, queue_id)
    assert event not in visible_events(db, queue_id)
    late.commit()
    wait_until(lambda: event in visible_events(db, queue_id), what="the tick that sees it")
    late.close()
    early.close()


def test_an_idle_database_has_no_ticks_no_wal_and_hardly_a_statement(
    server, db, start_ticker, wait_until
):
    queues = [f"q{number}" for number in range(5)]
    for queue in queues:
        make_queue(db, queue)
    db.execute(f"alter database {db.name} set log_min_duration_statement = 0")
    start_ticker(server, db.name, look_period=1, retry_period=NEVER, maint_period=NEVER)
    wait_until(lambda: all(asleep(db, queue) for queue in queues), what="all queues asleep")
    ticks = db.query("select max(tick_id) from pgq.tick group by tick_queue")
    watch = Database("watch", server.conninfo("postgres"), autocommit=True)

    def position():
        return watch.value("select pg_current_wal_insert_lsn() - '0/0'")

    def silent():
        """Watch for four seconds: few statements, always; no WAL, unless it is the server's own."""
        log_size, wal, began = server.log_path.stat().st_size, position(), time.monotonic()

        def statements():
            told = server.log_path.read_bytes()[log_size:]
            return told.count(f" {db.name} LOG:  duration".encode())

        wait_until(
            lambda: time.monotonic() > began + 4 and statements() >= 1,
            what="4 seconds of silence, with a look at the database",
        )
        written, count = position() - wal, statements()
        # At most one look a second, and the figures of the metrics.
        assert count <= 1 + 2 * (time.monotonic() - began)
        return written < 1000

    watch.execute("checkpoint")
    # Autovacuum and checkpoints write too, but not all the time.
    wait_until(silent, what="four seconds without WAL")
    watch.close()
    assert db.query("select max(tick_id) from pgq.tick group by tick_queue") == ticks


def test_new_paused_resumed_and_dropped_queues_are_noticed(server, db, start_ticker, wait_until):
    make_queue(db, "first")
    ticker = start_ticker(server, db.name, look_period=NEVER, sleep_after=0.05)
    wait_until(lambda: asleep(db, "first"), what="sleep")
    queue_id = make_queue(db, "new")
    insert_event(db, "new")
    wait_tick(db, queue_id)

    db.execute("select pgq.set_queue_config('new', 'ticker_paused', '1')")
    wait_until(lambda: not asleep(db, "new"), what="producers of a paused queue to be silenced")
    db.notifies()
    event = insert_event(db, "new")
    other_id = make_queue(db, "other")
    insert_event(db, "other")
    wait_tick(db, other_id)
    assert event not in visible_events(db, queue_id)

    db.execute("select pgq.set_queue_config('new', 'ticker_paused', '0')")
    wait_until(lambda: event in visible_events(db, queue_id), what="a tick after the pause")

    db.execute("select pgq.drop_queue('other')")
    insert_event(db, "first")
    wait_until(lambda: asleep(db, "first"), what="sleep again")
    assert "Traceback" not in ticker.output


def test_every_database_of_the_server_is_found(make_server, start_ticker, wait_until):
    server = make_server("auto")
    for name in ("one", "two"):
        server.createdb(name, "skytools_template")
    server.createdb("plain")
    ticker = start_ticker(server, check_period=0.5)
    # The template database of the tests is an ordinary one for the server.
    ticker.wait_status("3/3 databases ticking")
    ticker.program.wait_output("plain: no pgq, ignored")
    server.createdb("three")
    three = Database("three", server.conninfo("three"), autocommit=True)
    three.execute("create extension pgq")
    ticker.wait_status("4/4 databases ticking")
    queue_id = make_queue(three)
    insert_event(three)
    wait_tick(three, queue_id)
    three.close()
    server.dropdb("three")
    ticker.wait_status("3/3 databases ticking")
    ticker.program.wait_output("Unregister database: three")
    wait_until(lambda: "three" not in str(ticker.metrics()), what="its series to vanish")


@pytest.mark.parametrize("queues", [20])
def test_metrics_tell_of_every_queue_and_consumer(server, db, start_ticker, wait_until, queues):
    for number in range(queues):
        make_queue(db, f"q{number}")
    db.execute("select pgq.register_consumer('q1', 'c')")
    ticker = start_ticker(server, db.name, stats_period=0.2, maint_period=0.5)
    insert_event(db, "q1")
    queue = f'{{database="{db.name}",queue="q1"}}'
    consumer = f'{{consumer="c",database="{db.name}",queue="q1"}}'

    def told():
        found = ticker.metrics()
        good = (
            found.get(f"skytools_pgq_queue_events_total{queue}") == 1
            and found.get(f"skytools_pgq_consumer_pending_events{consumer}") == 1
            and found.get(f"skytools_ticker_ticks_total{queue}", 0) >= 1
        )
        return found if good else None

    found = wait_until(told, what="the figures of q1")
    for name in (
        f"skytools_pgq_queue_tick_lag_seconds{queue}",
        f"skytools_pgq_queue_rotation_age_seconds{queue}",
        f"skytools_pgq_queue_last_tick_id{queue}",
        f"skytools_pgq_consumer_lag_seconds{consumer}",
        f"skytools_pgq_consumer_last_seen_seconds{consumer}",
    ):
        assert found[name] >= 0
    assert found[f"skytools_pgq_queue_ticker_paused{queue}"] == 0
    assert found['skytools_ticker_databases{state="ticking"}'] == 1
    wait_until(
        lambda: any("maintenance_last_success" in name for name in ticker.metrics()),
        what="a run of maintenance",
    )
    db.execute("select pgq.unregister_consumer('q1', 'c'); select pgq.drop_queue('q1')")
    wait_until(
        lambda: not [name for name in ticker.metrics() if '"q1"' in name],
        what=lambda: str(ticker.metrics()),
    )
    ticker.program.wait_output("{ticks: ")
