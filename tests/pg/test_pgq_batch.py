# SPDX-License-Identifier: ISC
"""BatchReader on a real queue."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError
from skytools.pgq import BatchReader, api


@pytest.fixture
def tx(db):
    """A second connection to the test's database, with transactions."""
    tx = Database("db", db.conninfo)
    yield tx
    tx.close()


@pytest.fixture
def reader(queue, tx):
    """A reader with tiny blocks."""
    api.register_consumer(queue.db, queue.name, "c")
    return BatchReader(tx, queue.name, "c", block_rows=3)


def numbers(batch):
    return [int(event.data) for event in batch]


def test_nothing_to_read(reader):
    assert reader.next() is None


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 9, 10, 500])
def test_all_events_come_once_in_order(queue, reader, count):
    if count:
        queue.insert(count)
    tick = queue.tick()
    batch = reader.next()
    assert numbers(batch) == list(range(1, count + 1))
    assert (batch.events, batch.tick.id) == (count, tick)
    reader.finish(batch)
    assert queue.position("c") == tick
    assert reader.next() is None


def test_a_batch_may_be_read_twice(queue, reader):
    queue.insert(7)
    queue.tick()
    batch = reader.next()
    assert numbers(batch) == numbers(batch) == [1, 2, 3, 4, 5, 6, 7]


def test_an_open_batch_comes_again_under_its_number(queue, reader, tx):
    queue.insert(2)
    queue.tick()
    first = reader.next()
    assert numbers(first) == [1, 2]
    tx.rollback()
    queue.insert(1)
    queue.tick()
    again = reader.next()
    assert (again.id, again.tick) == (first.id, first.tick)
    assert numbers(again) == [1, 2]


def test_work_and_end_of_batch_are_one_transaction(queue, reader, tx):
    queue.db.execute("create table done (data text)")
    queue.insert(3)
    tick = queue.tick()
    batch = reader.next()
    for event in batch:
        tx.execute("insert into done values (%s)", (event.data,))
    assert queue.db.value("select count(*) from done") == 0
    reader.finish(batch)
    assert queue.db.value("select count(*) from done") == 3
    assert queue.position("c") == tick


def test_a_batch_left_in_the_middle_is_not_finished(queue, reader, tx):
    """Reading part of a batch and finishing it would lose the rest."""
    queue.insert(5)
    queue.tick()
    batch = reader.next()
    for _ in batch:
        break
    with pytest.raises(SkytoolsError, match=r"left batch .* before its last event"):
        reader.finish(batch)
    batch.skip()
    reader.finish(batch)
    assert reader.next() is None


def test_a_batch_closed_by_another_is_an_error_and_undoes_the_work(queue, reader, tx):
    """Two processes of one consumer: the work of one of them counts."""
    queue.db.execute("create table done (data text)")
    queue.insert(1)
    queue.tick()
    batch = reader.next()
    for event in batch:
        tx.execute("insert into done values (%s)", (event.data,))
    api.finish_batch(queue.db, batch.id)
    with pytest.raises(SkytoolsError, match=r"closed by somebody else; .* consumer c"):
        reader.finish(batch)
    tx.rollback()
    assert queue.db.value("select count(*) from done") == 0


def test_retried_events_come_again_and_count_their_tries(queue, reader):
    queue.insert(4)
    queue.tick()
    batch = reader.next()
    for event in batch:
        assert event.retry is None
        if int(event.data) % 2 == 0:
            event.tag_retry(0)
    assert batch.retried == 2
    reader.finish(batch)
    assert queue.db.value("select pgq.maint_retry_events()") == 2
    queue.tick()
    batch = reader.next()
    assert [(event.data, event.retry) for event in batch] == [("2", 1), ("4", 1)]
    reader.finish(batch)


def test_many_retries_are_sent_in_between(queue, reader):
    queue.insert(2500)
    queue.tick()
    batch = reader.next()
    for event in batch:
        event.tag_retry(3600)
    reader.finish(batch)
    assert queue.db.value("select count(distinct ev_id) from pgq.retry_queue") == 2500


def test_retries_of_a_failed_batch_are_forgotten(queue, reader, tx):
    queue.insert(2)
    queue.tick()
    for event in reader.next():
        event.tag_retry(0)
    tx.rollback()
    batch = reader.next()
    assert numbers(batch) == [1, 2]
    reader.finish(batch)
    assert queue.db.value("select count(*) from pgq.retry_queue") == 0


def test_an_event_of_a_finished_batch_cannot_be_retried(queue, reader):
    queue.insert(1)
    queue.tick()
    batch = reader.next()
    (event,) = batch
    reader.finish(batch)
    with pytest.raises(SkytoolsError, match="its batch is finished"):
        event.tag_retry()


def test_only_events_of_some_tables(queue, reader, tx):
    for table in ("public.a", "s.b", "public.it's", None):
        queue.insert(1, extra1=table)
    queue.tick()
    reader.where = api.table_condition(tx, ["public.a", "public.it's"])
    tx.commit()
    batch = reader.next()
    assert [event.extra1 for event in batch] == ["public.a", "public.it's"]
    reader.finish(batch)


def test_whole_batch_at_once_in_autocommit(queue, db):
    api.register_consumer(db, queue.name, "c")
    reader = BatchReader(db, queue.name, "c", block_rows=0)
    queue.insert(1000)
    queue.tick()
    batch = reader.next()
    assert len(numbers(batch)) == 1000
    reader.finish(batch)
    assert reader.next() is None


def test_collecting_joins_ticks(queue, tx):
    api.register_consumer(queue.db, queue.name, "c")
    reader = BatchReader(tx, queue.name, "c", min_lag="1 hour")
    queue.insert(1)
    queue.tick()
    assert reader.next() is None
    reader.min_lag, reader.min_interval = None, "1 hour"
    assert reader.next() is None
    reader.min_interval = "1 microsecond"
    queue.insert(1)
    last = queue.tick()
    batch = reader.next()
    assert numbers(batch)[-1] == 1
    assert batch.tick.id <= last


def test_not_registered_is_told(queue, tx):
    with pytest.raises(DatabaseError, match="Not subscriber to queue: q/nobody"):
        BatchReader(tx, queue.name, "nobody").next()
    assert tx.value("select 1") == 1


def test_event_columns(queue, reader):
    queue.db.query(
        "select pgq.insert_event('q', 'kind', 'data', 'e1', 'e2', 'e3', 'e4')",
    )
    moment = queue.db.value("select ev_time from pgq.event_template")
    queue.tick()
    (event,) = reader.next()
    assert event.time == moment
    assert event[4:] == ("kind", "data", "e1", "e2", "e3", "e4")
    assert event.txid > 0


def test_committing_in_the_middle_is_told(queue, reader, tx):
    queue.insert(9)
    queue.tick()
    batch = reader.next()
    with pytest.raises(DatabaseError, match=r"cursor .* does not exist"):
        for _ in batch:
            tx.commit()
