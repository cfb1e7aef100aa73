# SPDX-License-Identifier: ISC
"""The outbox: events share the fate of the caller's transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg2
import psycopg2.extras
import pytest

from skytools.core.errors import DatabaseError, TransientError, UsageError
from skytools.pgq import NewEvent, Outbox
from skytools.pgq.outbox import arguments, statement

STORED = "select ev_type, ev_data, ev_extra1, ev_extra4 from pgq.event_template order by ev_id"


@pytest.fixture
def conn(queue):
    conn = psycopg2.connect(queue.db.conninfo, cursor_factory=psycopg2.extras.RealDictCursor)
    yield conn
    conn.close()


def test_events_and_work_commit_together_or_not_at_all(queue, conn):
    cursor = conn.cursor()
    cursor.execute("create table orders (id int)")
    conn.commit()
    for end in (conn.rollback, conn.commit):
        cursor.execute("insert into orders values (1)")
        outbox = Outbox(cursor, "q")
        assert outbox.put("order", "1", "a", None, None, "d") > 0
        assert outbox.put_many([NewEvent("many", str(n)) for n in range(3)]) == 3
        assert queue.db.query(STORED) == []
        end()
    assert queue.db.value("select count(*) from orders") == 1
    assert queue.db.query(STORED) == [
        ("order", "1", "a", "d"),
        *(("many", str(n), None, None) for n in range(3)),
    ]


def test_the_callers_cursors_stay_as_they_are(conn, queue):
    Outbox(conn, "q").put("t", None)
    cursor = conn.cursor()
    cursor.execute("select 1 as one")
    assert dict(cursor.fetchone()) == {"one": 1}
    assert conn.get_transaction_status() == 2


def test_delayed_events(conn, queue):
    Outbox(conn, "q").put_at(datetime.now(UTC) + timedelta(days=1), "t", "later")
    conn.commit()
    assert queue.db.query(STORED) == []
    assert queue.db.value("select ev_data from pgq.retry_queue") == "later"


def test_a_savepoint_takes_its_events_with_it(conn, queue):
    cursor = conn.cursor()
    outbox = Outbox(conn, "q")
    outbox.put("kept", None)
    cursor.execute("savepoint s")
    outbox.put("gone", None)
    cursor.execute("rollback to s")
    conn.commit()
    assert [row[0] for row in queue.db.query(STORED)] == ["kept"]


def test_autocommit_needs_a_transaction(conn, queue):
    conn.autocommit = True
    with pytest.raises(UsageError, match="begin one first"):
        Outbox(conn, "q").put("t", None)
    conn.cursor().execute("begin")
    Outbox(conn, "q").put("t", None)
    conn.cursor().execute("rollback")
    assert queue.db.query(STORED) == []


def test_errors_are_told_and_the_connection_is_left_to_its_owner(conn, queue):
    with pytest.raises(DatabaseError, match="outbox: "):
        Outbox(conn, "nowhere").put("t", None)
    conn.rollback()
    Outbox(conn, "q").put("t", None)
    conn.close()
    with pytest.raises(TransientError, match="the connection is lost"):
        Outbox(conn, "q").put("t", None)
    with pytest.raises(UsageError, match="str is no connection"):
        Outbox("dbname=x", "q")


def test_wrappers_lead_to_their_connection(conn, queue):
    class Wrapper:
        def __init__(self, connection):
            self.connection = connection

    Outbox(Wrapper(Wrapper(conn.cursor())), "q").put("t", None)
    with pytest.raises(UsageError, match="Wrapper is no connection"):
        Outbox(Wrapper(object()), "q")


def test_the_statement_for_other_drivers(conn, queue):
    given = arguments("q", "t", "d", "e1")
    cursor = conn.cursor()
    cursor.execute(statement("pyformat"), given)
    cursor.execute(statement(), list(given.values()))
    cursor.execute(f"prepare p as {statement('dollar')}")
    cursor.execute("execute p(%s, %s, %s, %s, %s, %s, %s)", list(given.values()))
    conn.commit()
    assert queue.db.query(STORED) == [("t", "d", "e1", None)] * 3
    assert statement("named").startswith("select pgq.insert_event(cast(:queue as text), ")
    assert statement("qmark").count("?") == 7
    with pytest.raises(UsageError, match="unknown style odd"):
        statement("odd")
