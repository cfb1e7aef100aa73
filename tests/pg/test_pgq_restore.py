# SPDX-License-Identifier: ISC
"""A queue is dumped on one server and restored on a younger one: it goes on, each event once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer
from tests.fixtures.cluster import MakeCluster

BURN = """
create temp table burnt (x int);
do $$
begin
    for i in 1 .. %s loop
        begin
            insert into pg_temp.burnt values (i);
            raise division_by_zero;
        exception when division_by_zero then
        end;
    end loop;
end;
$$;
drop table burnt;
"""
EAGER = (
    "update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0',"
    " queue_rotation_period = '0'"
)


def burn(db: Database, count: int) -> None:
    """Use up transaction numbers."""
    db.execute(BURN % count)


def insert(db: Database, *data: str) -> None:
    for value in data:
        db.query("select pgq.insert_event('q', 't', %s)", (value,))


def tick(db: Database) -> int:
    return db.value("select pgq.ticker('q')")


def open_batch(db: Database, consumer: str) -> list[str]:
    batch = db.value("select pgq.next_batch('q', %s)", (consumer,))
    rows = db.query("select ev_data from pgq.get_batch_events(%s)", (batch,))
    return [data for (data,) in rows]


def finish(db: Database, consumer: str) -> None:
    (batch,) = db.query_one("select current_batch from pgq.get_consumer_info('q', %s)", (consumer,))
    assert db.value("select pgq.finish_batch(%s)", (batch,)) == 1


def read_all(db: Database, consumer: str) -> list[list[str]]:
    batches = []
    while db.value("select pgq.next_batch('q', %s)", (consumer,)) is not None:
        batches.append(open_batch(db, consumer))
        finish(db, consumer)
    return batches


def rotate(db: Database) -> None:
    db.query("select pgq.maint_rotate_tables_step1('q')")
    db.query("select pgq.maint_rotate_tables_step2()")


@pytest.fixture
def old(make_db) -> Database:
    """Give a queue in the middle of its life: ticks, a rotation, an open batch, events unticked."""
    db = make_db(empty=True)
    db.execute("create extension pgq")
    burn(db, 4000)
    db.query("select pgq.create_queue('q')")
    db.execute(EAGER)
    tick(db)
    for consumer in ("slow", "half", "ready"):
        db.query("select pgq.register_consumer('q', %s)", (consumer,))
    late = Database("late", db.conninfo)
    insert(late, "late")
    insert(db, "a1", "a2")
    tick(db)
    rotate(db)
    assert db.value("select queue_cur_table from pgq.queue") == 1
    late.commit()
    late.close()
    insert(db, "b1")
    burn(db, 50)
    insert(db, "b2")
    tick(db)
    assert open_batch(db, "half") == ["a1", "a2"]
    finish(db, "half")
    assert open_batch(db, "half") == ["late", "b1", "b2"]
    assert [len(batch) for batch in read_all(db, "ready")] == [2, 3]
    insert(db, "c1")
    burn(db, 50)
    insert(db, "c2")
    return db


@pytest.fixture
def restore(make_cluster: MakeCluster, tmp_path, server: PrivateServer) -> Iterator[object]:
    """Give a function that restores a dump of a database on a server of its own."""
    opened: list[Database] = []

    def go(source: Database, *options: str) -> Database:
        young = make_cluster()
        young.createdb("restored")
        dump = tmp_path / "dump"
        run(server.program("pg_dump"), "-Fc", "-f", dump, "-d", source.conninfo, *options)
        run(server.program("pg_restore"), "-d", young.conninfo("restored"), dump)
        database = Database("restored", young.conninfo("restored"), autocommit=True)
        opened.append(database)
        return database

    yield go
    for database in opened:
        database.close()


def run(*argv: object) -> None:
    subprocess.run([str(arg) for arg in argv], check=True)


@pytest.mark.parametrize("burnt", [0, 6000], ids=["behind", "caught up"])
def test_a_restored_queue_goes_on_each_event_once(old, restore, burnt):
    young = restore(old)
    before = young.value("select txid_snapshot_xmax(txid_current_snapshot())")
    assert before < old.value("select min(txid_snapshot_xmin(tick_snapshot)) from pgq.tick")
    # Written here before anybody has ticked.
    insert(young, "new1")
    burn(young, burnt)
    insert(young, "new2")
    assert open_batch(young, "half") == ["late", "b1", "b2"]

    assert tick(young) is not None
    insert(young, "new3")
    assert tick(young) is not None

    assert open_batch(young, "half") == ["late", "b1", "b2"], "the open batch is as it was"
    finish(young, "half")
    rest = [["c1", "c2", "new1", "new2"], ["new3"]]
    assert read_all(young, "half") == rest
    assert read_all(young, "ready") == rest
    assert read_all(young, "slow") == [["a1", "a2"], ["late", "b1", "b2"], *rest]


def test_a_restored_queue_is_closed_once_and_rotates(old, restore):
    young = restore(old)
    insert(young, "new1")
    tick(young)
    numbers = "select array_agg(ev_txid order by ev_id) from pgq.event_1"
    found = young.value(numbers)
    tick(young)
    assert young.value(numbers) == found, "nothing is renumbered twice"
    for consumer in ("slow", "half", "ready"):
        read_all(young, consumer)
    tables = set()
    for number in range(4):
        rotate(young)
        tables.add(young.value("select queue_cur_table from pgq.queue"))
        insert(young, f"after{number}")
        tick(young)
        assert read_all(young, "ready")[-1] == [f"after{number}"]
        read_all(young, "slow")
        read_all(young, "half")
    assert tables == {0, 1, 2}


def test_one_batch_may_span_the_restore(old, restore):
    young = restore(old)
    insert(young, "new1")
    tick(young)
    insert(young, "new2")
    tick(young)
    batch = young.value(
        "select batch_id from pgq.next_batch_custom('q', 'slow', null, 1000000, '0'::interval)"
    )
    assert batch is not None
    rows = young.query("select ev_data from pgq.get_batch_events(%s)", (batch,))
    finish(young, "slow")
    read = [data for (data,) in rows]
    read += [data for batch in read_all(young, "slow") for data in batch]
    assert sorted(read) == sorted(["a1", "a2", "late", "b1", "b2", "c1", "c2", "new1", "new2"])


def test_a_restore_into_an_older_server_needs_nothing(old, restore):
    young = restore(old)
    burn(young, 6000)
    # Now as a dump of the younger, whose numbers are lower than those of a server that has burnt.
    tick(young)
    older = restore(young)
    burn(older, 1)
    assert [data for batch in read_all(older, "ready") for data in batch] == ["c1", "c2"]


def test_ticks_are_thinned_out_when_there_are_more_than_numbers(old, restore):
    for number in (0, 500, 1000):
        insert(old, f"m{number}")
        old.execute(
            "do $$ begin for i in 1 .. 500 loop perform pgq.ticker('q'); commit; end loop; end; $$"
        )
    young = restore(old)
    assert open_batch(young, "half") == ["late", "b1", "b2"]
    tick(young)
    assert young.value("select count(*) from pgq.tick") < 1500
    assert open_batch(young, "half") == ["late", "b1", "b2"], "ticks of consumers are kept"
    rest = ["c1", "c2", "m0", "m500", "m1000"]
    assert [data for batch in read_all(young, "ready") for data in batch] == rest
    assert [data for batch in read_all(young, "slow") for data in batch] == [
        *("a1", "a2", "late", "b1", "b2"),
        *rest,
    ]
