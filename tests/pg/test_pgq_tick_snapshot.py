# SPDX-License-Identifier: ISC
"""pgq.tick_snapshot: a tick that sees exactly what a snapshot sees."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from skytools.core.errors import DatabaseError
from skytools.pgq import api
from tests.fixtures.queue import Queue

LOCK = "select pg_advisory_lock('pgq.queue'::regclass::integer, queue_id) from pgq.queue"


@pytest.fixture
def other(db):
    """Give a second connection (autocommit) to the same database."""
    made = Database("other", db.conninfo, autocommit=True)
    yield made
    made.close()


def begin(db):
    db.execute("begin isolation level repeatable read")
    return db.value("select count(*) from pgq.event_template")  # takes the snapshot


def batch(db):
    """Return the data of the next batch."""
    info = api.next_batch(db, "q", "c")
    if info is None:
        return None
    rows = db.query("select ev_data from pgq.get_batch_events(%s)", (info.id,))
    db.query("select pgq.finish_batch(%s)", (info.id,))
    return [row[0] for row in rows]


def test_the_batch_ends_where_the_snapshot_does(db, other, queue: Queue, wait_until):
    """What commits after the snapshot, also what was numbered before, is in the next batch."""
    api.register_consumer(other, "q", "c")
    late = Database("late", db.conninfo)
    late.query("select pgq.insert_event('q', 't', 'late')")
    queue.insert(1)
    db.query(LOCK)
    begin(db)
    late.commit()
    late.close()
    Queue(other, "q").insert(1, "after")
    tick = api.tick_snapshot(db, "q")
    db.execute("commit")
    assert tick is not None
    assert batch(other) == ["1"]
    # They count as new: a ticker that looks for new events finds them when max_lag has passed.
    db.query("select pg_advisory_unlock_all()")
    assert wait_until(lambda: other.value("select pgq.ticker('q')")) == tick + 1
    assert batch(other) == ["late", "1"]


def test_a_snapshot_that_is_older_than_the_last_tick_makes_none(db, other, queue: Queue):
    """Ticks are in the order of their snapshots, or events would be delivered twice."""
    begin(db)
    last = Queue(other, "q").tick()
    assert api.tick_snapshot(db, "q") is None
    db.execute("rollback")
    assert queue.last_tick() == last
    # A number that was drawn and not used looks the same; the next tick makes it good.
    db.query(LOCK)
    begin(db)
    assert api.tick_snapshot(db, "q") == last + 1
    db.execute("rollback")
    begin(db)
    assert api.tick_snapshot(db, "q") is None
    db.execute("rollback")
    assert queue.tick() == last + 2
    begin(db)
    assert api.tick_snapshot(db, "q") == last + 3
    db.execute("commit")


def test_it_refuses_what_cannot_be_right(db, queue: Queue):
    for prepare, text in (
        ("begin", "READ COMMITTED"),
        ("begin isolation level repeatable read; select pgq.set_queue_config('q',"
         " 'ticker_paused', '1')", "cannot be ticked here"),
    ):  # fmt: skip
        db.execute(prepare)
        with pytest.raises(DatabaseError, match=text):
            api.tick_snapshot(db, "q")
        db.execute("rollback")
    db.execute("begin isolation level repeatable read")
    with pytest.raises(DatabaseError, match="no such queue: x"):
        api.tick_snapshot(db, "x")
    db.execute("rollback")
