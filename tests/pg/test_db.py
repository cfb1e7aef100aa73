# SPDX-License-Identifier: ISC
"""Database: reconnects, error classes, notifications, on a real server."""

from __future__ import annotations

import io
import select

import pytest

from skytools.core.db import Database, merge_conninfo
from skytools.core.errors import DatabaseError, TransientError


@pytest.fixture
def tx(make_db):
    return make_db(autocommit=False)


@pytest.fixture
def other(tx):
    other = Database("other", tx.conninfo, autocommit=True)
    yield other
    other.close()


def kill_backend(killer: Database, victim: Database) -> None:
    pid = victim.value("select pg_backend_pid()")
    killer.query("select pg_terminate_backend(%s, 60000)", (pid,))


def test_transaction_commits_at_the_end_and_rolls_back_on_error(tx, other):
    with tx.transaction():
        tx.execute("create table t (i int)")
    with pytest.raises(ZeroDivisionError), tx.transaction():
        tx.execute("insert into t values (1)")
        raise ZeroDivisionError
    assert other.value("select count(*) from t") == 0


def test_lost_connection_is_transient_and_the_next_use_reconnects(tx, other):
    kill_backend(other, tx)
    with pytest.raises(TransientError):
        tx.query("select 1")
    assert tx.value("select 1") == 1


def test_refused_statement_carries_sqlstate_and_text(tx):
    with pytest.raises(DatabaseError, match='relation "none" does not exist') as caught:
        tx.query("select * from none")
    assert caught.value.sqlstate == "42P01"
    tx.rollback()
    assert tx.value("select 1") == 1


def test_missing_right_on_ours_says_what_to_grant(tx, other):
    other.execute('create role "Poor" login')
    other.execute("create schema mail; grant usage on schema pgq, mail to public")
    other.execute("create function mail.f() returns int language sql return 1")
    other.execute("revoke execute on function mail.f() from public")
    poor = Database("poor", merge_conninfo(tx.conninfo, user="Poor"), autocommit=True)
    try:
        with pytest.raises(DatabaseError, match=r'superuser: grant pgq_admin to "Poor"\)$'):
            poor.query("select pgq.ticker_lock()")
        with pytest.raises(DatabaseError, match=r"^poor: permission denied for function f$"):
            poor.query("select mail.f()")
    finally:
        poor.close()
        other.execute('drop owned by "Poor"; drop role "Poor"')


def test_missing_extension_of_ours_is_told_as_a_statement(tx, other):
    other.execute("drop extension if exists pgq_ext")
    with pytest.raises(DatabaseError, match=r"\(run there: create extension pgq_ext\)$"):
        tx.query("select pgq_ext.version()")
    tx.rollback()
    with pytest.raises(DatabaseError, match=r'schema "mail" does not exist$'):
        tx.query("select mail.f()")


def test_deadlock_class_and_lock_timeout_are_transient(tx, other):
    other.execute("create table l (i int)")
    other.execute("insert into l values (1)")
    tx.execute("select * from l for update")
    other.execute("set lock_timeout = '10ms'")
    with pytest.raises(TransientError, match="lock timeout"):
        other.execute("select * from l for update")


def test_wrong_connect_strings_are_one_line(server):
    for name in ("no_such_database",):
        database = Database("db", server.conninfo(name))
        with pytest.raises(TransientError, match=f'database "{name}" does not exist') as caught:
            database.query("select 1")
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("db: ")
    nobody = Database("db", merge_conninfo(server.conninfo("postgres"), host="/nowhere"))
    with pytest.raises(TransientError, match="No such file or directory"):
        nobody.connect()


def test_listen_survives_a_reconnect(tx, other):
    tx.listen("news")
    kill_backend(other, tx)
    with pytest.raises(TransientError):
        tx.query("select 1")
    tx.connect()
    other.execute("notify news, 'hello'")
    assert select.select([tx], [], [], 120)[0]
    assert [(n.channel, n.payload) for n in tx.notifies()] == [("news", "hello")]
    assert tx.notifies() == []


def test_notification_read_by_a_query_is_not_missed(tx, other):
    tx.listen("news")
    other.execute("notify news")
    tx.value("select 1")
    tx.commit()
    assert [n.channel for n in tx.notifies()] == ["news"]


def test_notifications_of_an_unlistened_channel_stop(tx, other):
    tx.listen("news")
    tx.unlisten("news")
    other.execute("notify news")
    tx.value("select 1")
    tx.commit()
    assert tx.notifies() == []


def test_old_connection_is_replaced_between_transactions(make_db):
    base = make_db()
    database = Database("db", base.conninfo, autocommit=True, lifetime=0.001)
    first = database.value("select pg_backend_pid()")
    base.value("select pg_sleep(0.01)")
    database.check_lifetime()
    assert database.value("select pg_backend_pid()") != first
    database.close()


def test_session_setup_runs_on_every_connection(tx, other):
    tx.on_connect(lambda db: db.execute("set session_replication_role = replica").close())
    assert tx.value("show session_replication_role") == "replica"
    tx.commit()
    kill_backend(other, tx)
    with pytest.raises(TransientError):
        tx.query("select 1")
    assert tx.value("show session_replication_role") == "replica"


def test_errors_and_connects_are_counted(make_db):
    counts = {"connect": 0, "error": 0}

    def count(what):
        def inc():
            counts[what] += 1

        return inc

    base = make_db()
    database = Database(
        "db", base.conninfo, autocommit=True, on_connect=count("connect"), on_error=count("error")
    )
    database.query("select 1")
    with pytest.raises(DatabaseError):
        database.query("select 1/0")
    database.close()
    assert counts == {"connect": 1, "error": 1}


def sent(database, *data):
    for one in data:
        database.send("insert into sent (data) values (%s)", (one,))


@pytest.fixture
def sender(db):
    db.execute("create table sent (nr serial, data text)")
    sender = Database("sender", db.conninfo)
    yield sender
    sender.close()


def stored(db):
    return [row[0] for row in db.query("select data from sent order by nr")]


def test_statements_that_are_sent_keep_their_place(db, sender):
    sent(sender, "a", "%s; it's")
    assert sender.value("select count(*) from sent") == 2
    sent(sender, "b")
    sender.execute("insert into sent (data) values ('c')").close()
    sender.copy("copy sent (data) from stdin", io.StringIO("d\n"))
    sent(sender, "e")
    assert stored(db) == []
    sender.commit()
    assert stored(db) == ["a", "%s; it's", "b", "c", "d", "e"]


def test_what_is_sent_and_not_committed_is_gone(db, sender):
    sent(sender, "a")
    sender.rollback()
    sent(sender, "b")
    sender.close()
    sent(sender, "c")
    sender.connect().close()  # lost
    sent(sender, "d")
    sender.commit()
    assert stored(db) == ["d"]


def test_an_error_of_what_was_sent_comes_with_the_next_statement(db, sender):
    sender.send("insert into sent (nr) values ('x')")
    with pytest.raises(DatabaseError, match="invalid input syntax"):
        sender.commit()
    sender.rollback()
    sent(sender, *("many" for _ in range(250)))
    sender.commit()
    assert stored(db) == ["many"] * 250


def test_with_autocommit_it_is_sent_at_once(db, sender):
    sent(db, "a")
    assert stored(sender) == ["a"]
