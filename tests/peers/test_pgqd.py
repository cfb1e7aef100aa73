# SPDX-License-Identifier: ISC
"""Debian's pgqd 3.5 on databases with pgq 4.0, our pgqd on databases with pgq 3.5."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.peers.work import current_table, insert, make_queue, read_all, wait_read


def register(db, *queues):
    for queue in queues:
        db.query("select pgq.register_consumer(%s, 'c')", (queue,))


def works_its_queue(db, wait_until):
    """Whoever ticks this database: events arrive, retries come back, tables rotate."""
    make_queue(db, rotation_period="0.2 s")
    register(db, "q")
    sent = insert(db, 10)
    wait_read(db, sent)
    # a retry
    insert(db, 1, first=11)
    wait_until(lambda: again(db), what="a batch with the event to retry")
    wait_read(db, ["11"])
    # rotation, all the way round
    seen = set()

    def rotated():
        seen.add(current_table(db))
        list(read_all(db))
        return len(seen) == 3

    wait_until(rotated, 60, "three tables in turn")
    sent = insert(db, 10, first=100)
    wait_read(db, sent)


def again(db):
    """Take the next batch; when event 11 is in it, have it retried at once."""
    batch = db.value("select pgq.next_batch('q', 'c')")
    if batch is None:
        return False
    events = db.query("select ev_id from pgq.get_batch_events(%s)", (batch,))
    for (event,) in events:
        db.query("select pgq.event_retry(%s, %s, 0)", (batch, event))
    db.query("select pgq.finish_batch(%s)", (batch,))
    return bool(events)


@pytest.mark.parametrize("script", ["", "pgq.sql", "pgq_pl.sql"])
def test_pgqd_3_5_ticks_retries_and_rotates_our_queues(
    server, make_new_db, start_pgqd35, wait_until, script
):
    """Also where a script was loaded, which it refuses to serve with 3.5."""
    db = make_new_db(script)
    pgqd = start_pgqd35(server, db.name)
    works_its_queue(db, wait_until)
    assert "ERROR" not in pgqd.output
    assert "pgq version ok: 4.0" in pgqd.output


def test_pgqd_3_5_runs_all_maintenance_of_ours(server, db, start_pgqd35, wait_until):
    """Also what comes after pgq's own: extra maintenance, and that of pgq_node."""
    make_queue(db, rotation_period="0.1 s")
    db.execute("create table ran (what text)")
    db.execute(
        "create function public.extra(queue text) returns int language sql as"
        " $$ insert into ran values (queue) returning 0 $$"
    )
    db.execute("update pgq.queue set queue_extra_maint = array['public.extra']")
    db.query("select pgq_node.register_location('n', 'a', 'dbname=a', false)")
    db.query("select pgq_node.create_node('n', 'root', 'a', 'a_w', null, null, null)")
    db.execute("update pgq.tick set tick_time = tick_time - interval '1 hour'")
    db.query("select pgq.ticker('n')")
    operations = [name for name, _ in db.query("select * from pgq.maint_operations()")]
    assert "pgq_node.maint_watermark" in operations
    pgqd = start_pgqd35(server, db.name)
    wait_until(lambda: db.value("select count(*) from ran where what = 'q'") >= 2)
    wait_until(
        lambda: db.value(
            "select last_tick > 1 from pgq.get_consumer_info('n', '.global_watermark')"
        ),
        what="the global watermark to move",
    )
    assert "ERROR" not in pgqd.output


def test_pgqd_3_5_finds_our_databases_by_itself(server, db, start_pgqd35, wait_until):
    make_queue(db)
    register(db, "q")
    pgqd = start_pgqd35(server, database_list="")
    wait_read(db, insert(db, 3))
    pgqd.signal(signal.SIGINT)
    assert pgqd.wait() == 0


def test_each_ticker_its_own_database(server, make_db, start_ticker, start_pgqd35, wait_until):
    theirs, ours = make_db(), make_db()
    for db in (theirs, ours):
        make_queue(db)
        register(db, "q")
    start_pgqd35(server, theirs.name)
    start_ticker(server, ours.name)
    for db in (theirs, ours):
        wait_read(db, insert(db, 20))


@pytest.mark.slow
def test_both_tickers_on_one_database(server, make_db, start_ticker, start_pgqd35, wait_until):
    """Also while they are killed and started again: each event in one batch, once."""
    db = make_db()
    make_queue(db, "q", ticker_max_lag="0", rotation_period="1 s")
    register(db, "q")
    old = start_pgqd35(server, db.name, ticker_period=0.01)
    new = start_ticker(server, db.name)
    dice = random.Random(5)
    sent, got = [], []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        sent += insert(db, dice.randint(1, 5), first=len(sent) + 1)
        got += read_all(db)
        if dice.random() < 0.01:
            old.kill()
            old = start_pgqd35(server, db.name, ticker_period=0.01)
        elif dice.random() < 0.01:
            new.program.kill()
            new.start()

    def complete():
        got.extend(read_all(db))
        return len(got) >= len(sent)

    wait_until(complete, what=lambda: f"{len(got)} of {len(sent)}")
    assert sorted(got, key=int) == sent
    assert len(sent) > 200
    assert_ticks_in_order(db)
    assert "ERROR" not in old.output


def assert_ticks_in_order(db):
    """Rule: ticks are numbered in the order of their snapshots."""
    wrong = db.query(
        "select a.tick_id, a.tick_snapshot, b.tick_snapshot from pgq.tick a join pgq.tick b"
        " on b.tick_queue = a.tick_queue and b.tick_id = a.tick_id + 1 where"
        " txid_snapshot_xmax(a.tick_snapshot) > txid_snapshot_xmax(b.tick_snapshot)"
    )
    assert wrong == []


def test_when_our_ticker_sleeps_the_old_one_still_works(
    server, db, start_ticker, start_pgqd35, wait_until
):
    """And when the old one has gone, ours is woken by the next event."""
    make_queue(db, ticker_max_lag="0")
    register(db, "q")
    start_ticker(server, db.name)
    old = start_pgqd35(server, db.name)
    for first in (1, 2, 3):
        wait_read(db, insert(db, 1, first=first))
    old.kill()
    for first in (4, 5, 6):
        wait_read(db, insert(db, 1, first=first))


@pytest.mark.parametrize("script", ["", "pgq.sql", "pgq_pl_only.sql"])
def test_our_pgqd_serves_pgq_3_5(server, make_old_db, start_ticker, wait_until, script):
    """The extension, the contrib script, and plain SQL without a library."""
    db = make_old_db(script)
    start_ticker(server, db.name, ticker_period=0.1, maint_period=0.3, retry_period=0.3)
    works_its_queue(db, wait_until)


@pytest.mark.parametrize("script", ["", "pgq.sql"])
def test_our_pgqd_and_pgqd_3_5_on_one_database_of_3_5(
    server, make_old_db, start_ticker, start_pgqd35, wait_until, script
):
    """A site that moves tickers first. pgqd 3.5 does not serve what a script has made."""
    db = make_old_db(script)
    make_queue(db)
    register(db, "q")
    start_ticker(server, db.name, ticker_period=0.05)
    start_pgqd35(server, db.name)
    sent = []
    for _ in range(20):
        sent += insert(db, 5, first=len(sent) + 1)
    wait_read(db, sent)
