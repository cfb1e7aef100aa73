# SPDX-License-Identifier: ISC
"""Batches that keep failing: the event at fault is found, and let go where that is allowed."""

from __future__ import annotations

import pytest

from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.pgq import Consumer, RemoteConsumer, SerialConsumer


class Writer(Consumer):
    """Writes to a table of the queue's database; fails at data in `poison`."""

    poison: tuple[str, ...] = ()
    error: type[Exception] = ValueError

    def process_event(self, event):
        self.db.execute("insert into done values (%s)", (event.data,))
        if event.data in self.poison:
            raise self.error(f"cannot stand {event.data}")


class Bulk(Writer):
    """Works on whole batches, so that by itself it cannot say which event was at fault."""

    def process_batch(self, batch):
        data = [event.data for event in batch]
        self.db.execute_values("insert into done values %s", [(d,) for d in data])
        if set(data) & set(self.poison):
            raise ValueError("something in there is bad")


class Sender(Writer):
    """Leaves it open when its statements are run: an error comes later than its event."""

    def process_event(self, event):
        value = "1 / 0" if event.data in self.poison else "1"
        self.db.send(f"insert into done select %s where {value} = 1", (event.data,))


@pytest.fixture
def table(queue):
    queue.db.execute("create table done (data text)")
    return lambda: [row[0] for row in queue.db.query("select data from done order by data")]


def fail(consumer, error=ValueError, times=1):
    for _ in range(times):
        with pytest.raises(error):
            consumer.step()
        consumer.ctx.close_databases()


def start(make, cls, queue, poison=("2",), count=3, **keys):
    consumer = make(cls, batch_tries=2, **keys)
    consumer.step()
    consumer.poison = poison
    queue.insert(count)
    queue.tick()
    return consumer


@pytest.mark.parametrize("cls", [Writer, Bulk])
def test_the_event_at_fault_is_named_and_the_batch_stays(queue, table, make_consumer, caplog, cls):
    """Without max_tries order is sacred: nothing is done, but one knows who is to blame."""
    consumer = start(make_consumer, cls, queue)
    fail(consumer, times=2)
    caplog.clear()
    fail(consumer)
    ids = [row[0] for row in queue.db.query("select ev_id from pgq.event_template order by 1")]
    assert "event by event now" in caplog.text
    assert f"event {ids[1]}: failed: " in caplog.messages[-1]
    assert table() == []
    consumer.poison = ()
    consumer.step()
    assert table() == ["1", "2", "3"]


@pytest.mark.parametrize("cls", [Writer, Bulk])
def test_the_rest_goes_through_and_the_event_is_retried_then_dead(
    queue, table, make_consumer, caplog, cls
):
    consumer = start(make_consumer, cls, queue, max_tries=2, retry_first=0)
    fail(consumer, times=2)
    consumer.step()
    assert table() == ["1", "3"]
    assert "is tried again at" in caplog.messages[-1]
    assert queue.db.query("select ev_data, ev_retry from pgq.retry_queue") == [("2", 1)]
    assert queue.db.value("select pgq.maint_retry_events()") == 1
    queue.tick()
    fail(consumer, times=2)
    consumer.step()
    assert "is dead, tries: 2" in caplog.messages[-1]
    (dead,) = queue.db.query(
        "select ev_data, ev_tries, ev_failed_reason from pgq.failed_event_list('q', 'job')"
    )
    assert dead[:2] == ("2", 2)
    assert dead[2].startswith("ValueError: ")
    assert queue.position("job") == queue.last_tick()
    consumer.poison = ()
    assert queue.db.value("select pgq.failed_event_redrive('q', 'job')") == 1
    queue.tick()
    consumer.step()
    assert table() == ["1", "2", "3"]


def test_an_error_of_the_server_is_the_events_fault_too(queue, table, make_consumer):
    """Its savepoint makes the transaction usable again."""
    consumer = start(make_consumer, Writer, queue, max_tries=1, poison=())
    queue.db.execute("alter table done add check (data <> '2')")
    fail(consumer, SkytoolsError, times=2)
    consumer.step()
    assert table() == ["1", "3"]
    reason = queue.db.value("select ev_failed_reason from pgq.failed_queue")
    assert "violates check constraint" in reason


def test_a_lost_connection_is_nobodys_fault(queue, table, make_consumer, caplog):
    consumer = start(make_consumer, Writer, queue, max_tries=1)
    consumer.error = TransientError
    fail(consumer, TransientError, times=5)
    assert "event by event" not in caplog.text
    consumer.error = ValueError
    fail(consumer, times=2)
    consumer.error = TransientError
    fail(consumer, TransientError)
    assert queue.db.value("select count(*) from pgq.failed_queue") == 0


def test_when_everything_fails_the_fault_is_elsewhere(queue, table, make_consumer):
    consumer = start(make_consumer, Writer, queue, tuple("12345"), 5, max_tries=1, max_faults=3)
    fail(consumer, times=2)
    for _ in range(2):
        with pytest.raises(SkytoolsError, match=r"more than 3 events .* elsewhere.*stand 4"):
            consumer.step()
        consumer.ctx.close_databases()
    assert queue.db.value("select count(*) from pgq.failed_queue") == 0
    consumer.poison = tuple("234")
    consumer.step()
    assert table() == ["1", "5"]


def test_a_retry_asked_for_by_an_event_at_fault_does_not_count(queue, table, make_consumer):
    class Tags(Writer):
        def process_event(self, event):
            event.tag_retry(0)
            super().process_event(event)

    consumer = start(make_consumer, Tags, queue, max_tries=1)
    fail(consumer, times=2)
    consumer.step()
    query = "select ev_data from pgq.retry_queue order by 1"
    assert queue.db.query(query) == [("1",), ("3",)]
    assert queue.db.value("select ev_data from pgq.failed_queue") == "2"


def test_a_new_batch_is_tried_whole_again(queue, table, make_consumer, caplog):
    consumer = start(make_consumer, Writer, queue, max_tries=1)
    fail(consumer, times=2)
    consumer.step()
    caplog.clear()
    queue.insert(3)
    queue.tick()
    fail(consumer)
    assert "event by event" not in caplog.text


class Ledger(RemoteConsumer):
    poison: tuple[str, ...] = ()

    def process_event(self, event, target):
        target.execute("insert into done values (%s)", (event.data,))
        if event.data == "later" and not event.retry:
            event.tag_retry(0)
        if event.data in self.poison:
            raise ValueError("no")


class Serial(SerialConsumer):
    process_event = Ledger.process_event
    poison = ("2",)


@pytest.fixture
def target(make_db):
    target = make_db()
    target.execute("create table done (data text)")
    return target


def done(target):
    return [row[0] for row in target.query("select data from done order by data")]


def test_remote_work_of_the_event_at_fault_is_undone(queue, make_consumer, target):
    consumer = start(make_consumer, Ledger, queue, dst_db=target.conninfo, max_tries=1)
    fail(consumer, times=2)
    consumer.step()
    assert done(target) == ["1", "3"]
    assert queue.db.value("select ev_data from pgq.failed_queue") == "2"


def test_what_was_put_off_survives_a_death_between_the_two_commits(queue, make_consumer, target):
    """The target has committed without the event; the source has not heard of it yet."""
    consumer = start(make_consumer, Ledger, queue, dst_db=target.conninfo, max_tries=1)
    fail(consumer, times=2)
    queue.db.query("select pgq.insert_event('q', 't', 'later')")
    finish = consumer._reader.finish

    def die(batch):
        raise TransientError("died")

    consumer._reader.finish = die
    fail(consumer, TransientError)
    assert done(target) == ["1", "3"]
    assert queue.db.value("select count(*) from pgq.failed_queue") == 0
    consumer._reader.finish = finish
    consumer.step()
    assert done(target) == ["1", "3"]
    assert queue.db.value("select ev_data from pgq.failed_queue") == "2"
    queue.tick()
    consumer._reader.finish = die
    fail(consumer, TransientError)
    consumer._reader.finish = finish
    consumer.step()
    assert queue.db.query("select ev_data from pgq.retry_queue") == [("later",)]
    assert done(target) == ["1", "3", "later"]


def test_a_serial_consumer_lets_nothing_overtake(queue, make_consumer, target):
    """Whatever the ini says."""
    consumer = start(make_consumer, Serial, queue, dst_db=target.conninfo, max_tries=1)
    fail(consumer, times=4)
    assert done(target) == []
    assert queue.db.value("select count(*) from pgq.failed_queue") == 0


def test_max_tries_on_a_database_of_3_5_says_what_is_missing(queue, table, make_consumer):
    queue.db.execute(
        """do $$ declare f regprocedure; begin
               for f in select oid::regprocedure from pg_proc
                         where pronamespace = 'pgq'::regnamespace and proname = 'fail_events' loop
                   execute format('alter extension pgq drop function %s', f);
                   execute format('drop function %s', f);
               end loop; end $$"""
    )
    with pytest.raises(SkytoolsError, match=r"max_tries needs PgQ 4\.0 in the database: run there"):
        make_consumer(Writer, max_tries=3).step()
    make_consumer(Writer).step()


def test_a_statement_that_was_sent_is_the_fault_of_its_event(queue, table, make_consumer):
    consumer = start(make_consumer, Sender, queue, poison=("2",), count=5, max_tries=1)
    fail(consumer, DatabaseError, 2)
    consumer.step()
    assert table() == ["1", "3", "4", "5"]
    assert [row[0] for row in queue.db.query("select ev_data from pgq.failed_queue")] == ["2"]
