# SPDX-License-Identifier: ISC
"""The retry queue and the dead letters leave no bloat behind, however old a snapshot is held."""

from __future__ import annotations

import pytest

from skytools.core.db import Database

ROUNDS = 4
EVENTS = 1500


@pytest.fixture
def old_snapshot(db):
    """Hold a snapshot, as a long report does: nothing that is deleted may be vacuumed away."""
    holder = Database("holder", db.conninfo)
    holder.execute("set transaction isolation level repeatable read")
    holder.query("select 1 from pgq.queue")
    yield
    holder.close()


def maintain(db):
    """Run what the ticker runs when it is due; returns the names."""
    db.execute("select pg_stat_force_next_flush()")
    due = [name for name, _ in db.query("select * from pgq.maint_operations()")]
    if "pgq.maint_compact" in due:
        db.query("select pgq.maint_compact()")
    return due


def pages(db, table):
    return db.value("select pg_relation_size(%s) / 8192", (table,))


def batch(queue):
    queue.tick()
    return queue.db.value("select pgq.next_batch('q', 'c')")


def churn_retries(queue):
    db = queue.db
    queue.insert(EVENTS)
    number = batch(queue)
    assert db.value("select pgq.batch_retry(%s, 0)", (number,)) == EVENTS
    db.query("select pgq.finish_batch(%s)", (number,))
    while db.value("select pgq.maint_retry_events()"):
        pass
    number = batch(queue)
    assert db.value("select count(*) from pgq.get_batch_events(%s)", (number,)) == EVENTS
    db.query("select pgq.finish_batch(%s)", (number,))


def churn_dead_letters(queue):
    db = queue.db
    queue.insert(EVENTS)
    number = batch(queue)
    failed = db.value(
        """select count(*) from pgq.fail_events(%(b)s,
               (select array_agg(ev_id) from pgq.get_batch_events(%(b)s)),
               array_fill('reason'::text, array[%(n)s]), 1, '0', '0')""",
        {"b": number, "n": EVENTS},
    )
    assert failed == EVENTS
    db.query("select pgq.finish_batch(%s)", (number,))
    assert db.value("select pgq.failed_event_purge('q', 'c')") == EVENTS


@pytest.mark.pg(">=15")
@pytest.mark.parametrize(
    ("table", "churn"),
    [("pgq.retry_queue", churn_retries), ("pgq.failed_queue", churn_dead_letters)],
)
@pytest.mark.usefixtures("old_snapshot")
def test_no_bloat_under_a_held_snapshot(queue, table, churn):
    db = queue.db
    db.query("select pgq.register_consumer('q', 'c')")
    sizes = []
    for _ in range(ROUNDS):
        churn(queue)
        sizes.append(pages(db, table))
        assert "pgq.maint_compact" in maintain(db)
        assert pages(db, table) == 0
    assert max(sizes) <= sizes[0] + 2
    assert "pgq.maint_compact" not in maintain(db)


@pytest.mark.pg(">=15")
def test_compaction_keeps_what_is_alive(queue):
    db = queue.db
    db.query("select pgq.register_consumer('q', 'c')")
    db.query(
        "select pgq.event_retry_raw('q', 'c', 'tomorrow', n, now(), 1, 't', n::text, null, null,"
        " null, null) from generate_series(1, 4000) n"
    )
    db.execute("delete from pgq.retry_queue where ev_id > 500")
    before = db.query("select * from pgq.retry_queue order by ev_id")
    full = pages(db, "pgq.retry_queue")
    assert "pgq.maint_compact" in maintain(db)
    assert db.query("select * from pgq.retry_queue order by ev_id") == before
    assert pages(db, "pgq.retry_queue") < full / 4


@pytest.mark.pg(">=15")
def test_compaction_does_not_wait_for_readers(queue, make_db, wait_until):
    """A dump that reads the table is not disturbed, and holds up nobody."""
    db = queue.db
    db.query("select pgq.register_consumer('q', 'c')")
    churn_retries(queue)
    reader = Database("reader", db.conninfo)
    reader.query("select * from pgq.retry_queue")
    full = pages(db, "pgq.retry_queue")
    db.execute("set statement_timeout = '60s'")
    assert "pgq.maint_compact" in maintain(db)
    assert pages(db, "pgq.retry_queue") == full > 0
    reader.close()
    wait_until(lambda: maintain(db) and pages(db, "pgq.retry_queue") == 0)
