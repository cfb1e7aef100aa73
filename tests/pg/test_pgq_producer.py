# SPDX-License-Identifier: ISC
"""Appending events from Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from skytools.core.db import Database, merge_conninfo
from skytools.core.errors import DatabaseError, UsageError
from skytools.pgq import NewEvent, insert_event, insert_event_at, insert_events

STORED = """select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4
    from pgq.event_template order by ev_id"""
AWKWARD = [
    NewEvent("t", "plain"),
    NewEvent(None, None, None, "e2"),
    NewEvent("", "", "", "", "", ""),
    NewEvent("t", "tab\tline\nreturn\rback\\slash \\N \\. 'quote' ümlaut 💾"),
    NewEvent("\\.", "\\N", "a", "b", "c", "d"),
    NewEvent("last", "one"),
]


@pytest.fixture
def tx(queue):
    tx = Database("db", queue.db.conninfo)
    yield tx
    tx.close()


@pytest.fixture
def writer(queue):
    """A connection as a role that may only insert through pgq.insert_event."""
    db = queue.db
    if not db.value("select count(*) from pg_roles where rolname = 'test_writer'"):
        db.execute("create role test_writer login in role pgq_writer")
    writer = Database("db", merge_conninfo(db.conninfo, user="test_writer"))
    yield writer
    writer.close()


def test_one_event_in_the_callers_transaction(queue, tx):
    assert insert_event(tx, "q", "t", "data", "e1") > 0
    tx.rollback()
    assert queue.db.query(STORED) == []
    insert_event(tx, "q", "t", "data", "e1")
    tx.commit()
    assert queue.db.query(STORED) == [("t", "data", "e1", None, None, None)]


def test_many_events_arrive_as_they_were(queue, tx):
    assert insert_events(tx, "q", AWKWARD) == len(AWKWARD)
    tx.commit()
    assert queue.db.query(STORED) == [tuple(event) for event in AWKWARD]
    assert queue.db.value("select count(distinct ev_txid) from pgq.event_template") == 1
    assert queue.db.value("select count(distinct ev_time) from pgq.event_template") == 1


def test_a_role_without_copy_gets_the_same(queue, writer):
    assert insert_events(writer, "q", AWKWARD) == len(AWKWARD)
    writer.commit()
    assert queue.db.query(STORED) == [tuple(event) for event in AWKWARD]


def test_many_events_roll_back_with_the_transaction(queue, tx):
    insert_events(tx, "q", AWKWARD)
    tx.rollback()
    assert queue.db.query(STORED) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_events(queue, tx, count):
    assert insert_events(tx, "q", [NewEvent("t", str(n)) for n in range(count)]) == count
    tx.commit()
    assert [row[1] for row in queue.db.query(STORED)] == [str(n) for n in range(count)]


def test_more_than_one_copy(queue, tx):
    """Events of together 20 MB, from a generator."""
    events = (NewEvent("t", f"{n} {'x' * 100_000}") for n in range(200))
    assert insert_events(tx, "q", events) == 200
    tx.commit()
    numbers = [int(row[1].split()[0]) for row in queue.db.query(STORED)]
    assert numbers == list(range(200))


@pytest.mark.parametrize("count", [1, 3])
def test_many_events_wake_a_sleeping_ticker(queue, tx, count):
    """COPY alone would leave them until the ticker looks by itself."""
    listener = queue.db
    listener.listen("pgq_wakeup")
    assert queue.id not in [row[0] for row in listener.query("select pgq.ticker_sleep(null)")]
    insert_events(tx, "q", [NewEvent("t", str(n)) for n in range(count)])
    tx.commit()
    listener.query("select 1")
    assert [note.payload for note in listener.notifies()] == [str(queue.id)]


def test_queue_names_need_no_quoting(db):
    db.query("select pgq.create_queue('Odd \"queue''s')")
    insert_events(db, "Odd \"queue's", [NewEvent("t", "1"), NewEvent("t", "2")])
    assert db.value("select count(*) from pgq.event_template") == 2


def test_unknown_queue_is_told(tx):
    with pytest.raises(DatabaseError, match=r"[Qq]ueue"):
        insert_events(tx, "nobody", AWKWARD)
    tx.rollback()
    with pytest.raises(DatabaseError, match="No such queue"):
        insert_event(tx, "nobody", "t", "data")


def test_a_delayed_event_comes_at_its_time(queue, db):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    insert_event_at(db, "q", tomorrow, "t", "later", "x1")
    insert_event_at(db, "q", datetime.now(UTC) - timedelta(days=1), "t", "now")
    query = "select ev_data, ev_extra1 from pgq.event_template"
    assert db.query(query) == [("now", None)]
    db.execute("update pgq.retry_queue set ev_retry_after = now()")
    db.query("select pgq.maint_retry_events()")
    assert db.query(query + " order by 1") == [("later", "x1"), ("now", None)]


def test_a_delayed_event_needs_a_certain_moment(queue, db):
    with pytest.raises(UsageError, match="has no time zone"):
        insert_event_at(db, "q", datetime(2030, 1, 1), "t", "d")
