# SPDX-License-Identifier: ISC
"""Consumer, step by step in the test's own process."""

from __future__ import annotations

import logging
import re
import select

import pytest

from skytools.core.errors import DatabaseError, SkytoolsError
from skytools.core.service import AGAIN, Context
from skytools.pgq import Consumer, ConsumerConfig, Event


class Collector(Consumer):
    """Keeps what it got; fails at the event with the data `poison`."""

    poison = ""

    def __init__(self, ctx, cfg):
        super().__init__(ctx, cfg)
        self.got: list[str] = []

    def process_event(self, event: Event) -> None:
        if event.data == self.poison:
            raise ValueError("cannot stand it")
        self.got.append(event.data or "")


@pytest.fixture
def make(db):
    contexts = []

    def make(cls=Collector, **keys):
        ctx = Context(job_name="job")
        contexts.append(ctx)
        given = {"db": db.conninfo, "queue_name": "q", "job_name": "job", **keys}
        return cls(ctx, ConsumerConfig(**given))

    yield make
    for ctx in contexts:
        ctx.close_databases()
        ctx.signals.close()


@pytest.fixture
def consumer(queue, make):
    """A consumer that is registered and has nothing to do."""
    consumer = make()
    assert consumer.step().seconds > 0
    return consumer


def sample(consumer, name):
    labels = {"queue": "q", "consumer": consumer.cfg.consumer}
    return consumer.ctx.metrics.registry.get_sample_value(f"skytools_consumer_{name}", labels)


def readable(pause, seconds):
    return bool(select.select([item.fileno() for item in pause.wake], [], [], seconds)[0])


def test_database_without_pgq(make_db, make):
    consumer = make(db=make_db(empty=True).conninfo)
    with pytest.raises(SkytoolsError, match="db: the database has no PgQ; run there: create ext"):
        consumer.step()


def test_queue_that_does_not_exist_and_then_does(db, make):
    consumer = make()
    with pytest.raises(SkytoolsError, match=r"queue q does not exist; make it: select pgq\.create"):
        consumer.step()
    db.query("select pgq.create_queue('q')")
    assert consumer.step().seconds == 1.0


def test_registers_itself_and_says_so(queue, make, caplog):
    make().step()
    assert "queue q, consumer job: registered; it gets the events from now on" in caplog.text
    assert queue.position("job") == queue.last_tick()


def test_registers_nobody_when_told_so(queue, make):
    consumer = make(auto_register=False)
    with pytest.raises(SkytoolsError, match="is not registered; run with --register, or set auto"):
        consumer.step()
    assert queue.position("job") is None


def test_does_not_register_again_by_itself(queue, consumer):
    """Whoever unregistered a running consumer, or dropped its queue, did it on purpose."""
    queue.db.query("select pgq.unregister_consumer('q', 'job')")
    with pytest.raises(DatabaseError, match="Not subscriber"):
        consumer.step()
    with pytest.raises(SkytoolsError, match="was unregistered while running"):
        consumer.step()
    assert queue.position("job") is None
    queue.db.query("select pgq.register_consumer('q', 'job')")
    consumer.step()


def test_events_arrive_and_are_counted(queue, consumer):
    queue.insert(3)
    tick = queue.tick()
    assert consumer.step() is AGAIN
    assert consumer.got == ["1", "2", "3"]
    assert queue.position("job") == tick
    assert sample(consumer, "batches_total") == 1
    assert sample(consumer, "events_total") == 3
    assert sample(consumer, "batch_failures_total") == 0
    assert sample(consumer, "batch_events_sum") == 3
    assert sample(consumer, "batch_duration_seconds_count") == 1
    assert sample(consumer, "last_batch_timestamp_seconds") >= sample(
        consumer, "last_batch_tick_timestamp_seconds"
    )


def test_failing_event_is_named_and_the_batch_comes_again(queue, consumer, caplog):
    queue.insert(3)
    queue.tick()
    consumer.poison = "2"
    with pytest.raises(ValueError, match="cannot stand it") as caught:
        consumer.step()
    ids = [row[0] for row in queue.db.query("select ev_id from pgq.event_template order by 1")]
    where = rf"queue q, consumer job: batch \d+, event {ids[1]}"
    assert caplog.records[-1].levelno == logging.ERROR
    assert re.fullmatch(where + ": failed: cannot stand it", caplog.messages[-1])
    assert caught.value.__notes__
    assert sample(consumer, "batch_failures_total") == 1
    consumer.db.rollback()
    consumer.poison = ""
    consumer.step()
    assert consumer.got == ["1", "1", "2", "3"]
    assert sample(consumer, "events_total") == 3


def test_work_in_the_same_database_is_undone_with_the_batch(queue, make):
    class Writer(Collector):
        def process_event(self, event):
            self.db.execute("insert into done values (%s)", (event.data,))
            super().process_event(event)

    queue.db.execute("create table done (data text)")
    writer = make(Writer)
    writer.step()
    queue.insert(3)
    queue.tick()
    writer.poison = "3"
    with pytest.raises(ValueError, match="stand"):
        writer.step()
    writer.db.rollback()
    assert queue.db.query("select * from done") == []
    writer.poison = ""
    writer.step()
    assert queue.db.query("select * from done") == [("1",), ("2",), ("3",)]


def test_a_tick_wakes_it(queue, consumer):
    pause = consumer.step()
    assert pause.seconds == 1.0
    assert not readable(pause, 0)
    queue.insert(1)
    queue.tick()
    assert readable(pause, 5)
    consumer.step()
    assert consumer.got == ["1"]
    consumer.step()
    assert not readable(consumer.step(), 0)


def test_a_tick_between_look_and_wait_is_not_missed(queue, consumer):
    """The notification may come with the answer of another statement."""
    idle = consumer._idle
    ticked = []

    def tick_first():
        if not ticked:
            queue.insert(1)
            ticked.append(queue.tick())
            consumer.db.query("select 1")
            consumer.db.commit()
        return idle()

    consumer._idle = tick_first
    assert consumer.step() is AGAIN
    consumer.step()
    assert consumer.got == ["1"]


def test_a_held_back_tick_makes_no_busy_loop(queue, make):
    consumer = make(pgq_keep_lag="1 hour")
    consumer.step()
    queue.insert(1)
    queue.tick()
    pauses = [consumer.step() for _ in range(3)]
    assert [pause.seconds for pause in pauses[1:]] == [1.0, 1.0]


def test_without_notifications_it_polls(queue, make, caplog):
    """As on a server, or through a pooler, that refuses LISTEN."""
    consumer = make()
    refused = DatabaseError("db: cannot execute LISTEN", "25006")

    def refuse(channel):
        raise refused

    consumer.db.listen = refuse
    pause = consumer.step()
    assert pause.wake == ()
    assert "no notifications, looking every 1 s: db: cannot execute LISTEN" in caplog.text
    queue.insert(1)
    queue.tick()
    consumer.step()
    assert consumer.got == ["1"]


def test_table_filter_adds_the_schema(queue, make):
    consumer = make(table_filter=("a", "s.b"))
    consumer.step()
    for table in ("public.a", "s.b", "s.a", "a"):
        queue.insert(1, kind=table, extra1=table)
    queue.tick()
    consumer.process_event = lambda event: consumer.got.append(event.type)
    consumer.step()
    assert consumer.got == ["public.a", "s.b"]


def test_loop_delay_zero_ends_when_idle(queue, make):
    consumer = make(loop_delay=0)
    consumer.register()
    for _ in range(2):
        queue.insert(1)
        queue.tick()
    for _ in range(2):
        consumer.step()
        assert not consumer.ctx.stopping
    consumer.step()
    assert consumer.got == ["1", "1"]
    assert consumer.ctx.stopping


def test_negative_loop_delay_ends_after_one_batch(queue, make):
    consumer = make(loop_delay=-1)
    consumer.register()
    for _ in range(2):
        queue.insert(1)
        queue.tick()
    consumer.step()
    assert consumer.got == ["1"]
    assert consumer.ctx.stopping


def test_autocommit_keeps_what_a_failed_batch_did(queue, make):
    class Writer(Collector):
        def process_event(self, event):
            self.db.execute("insert into done values (%s)", (event.data,))
            super().process_event(event)

    queue.db.execute("create table done (data text)")
    writer = make(Writer, pgq_autocommit=True, pgq_lazy_fetch=0)
    writer.step()
    queue.insert(2)
    queue.tick()
    writer.poison = "2"
    with pytest.raises(ValueError, match="stand"):
        writer.step()
    assert queue.db.query("select * from done") == [("1",), ("2",)]
    writer.poison = ""
    writer.step()
    assert queue.position("job") == queue.last_tick()


def test_a_handler_is_required(queue, make):
    consumer = make(Consumer)
    consumer.step()
    queue.insert(1)
    queue.tick()
    with pytest.raises(AssertionError, match="Consumer must define process_event or process_batch"):
        consumer.step()


def test_reload_moves_to_another_queue(queue, consumer):
    queue.db.query("select pgq.create_queue('other')")
    consumer.reload(ConsumerConfig(db=queue.db.conninfo, queue_name="other", job_name="job"))
    consumer.step()
    queue.db.query("select pgq.insert_event('other', 't', 'there')")
    queue.insert(1)
    queue.tick()
    queue.db.query("select pgq.force_tick('other')")
    queue.db.query("select pgq.ticker('other')")
    assert consumer.step() is AGAIN
    assert consumer.got == ["there"]


def test_idle_is_logged_once_in_a_while(queue, make, caplog):
    consumer = make(keepalive_stats=1)
    caplog.set_level(logging.INFO)
    consumer.step()
    consumer.stats._since -= 2
    consumer.step()
    consumer.step()
    assert caplog.messages.count("idle for 2 s") == 1
