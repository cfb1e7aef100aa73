# SPDX-License-Identifier: ISC
"""RemoteConsumer: the positions at source and target, step by step."""

from __future__ import annotations

import argparse

import pytest

from skytools.core.errors import LostPosition, SkytoolsError, TransientError, UsageError
from skytools.core.service import AGAIN, Context
from skytools.pgq import RemoteConsumer, RemoteConsumerConfig, SerialConsumer, api


class Ledger(RemoteConsumer):
    def process_event(self, event, target):
        target.execute("insert into ledger values (%s, %s)", (event.id, event.data))


@pytest.fixture
def target(make_db):
    target = make_db()
    target.execute("create table ledger (id bigint, data text)")
    return target


@pytest.fixture
def make(db, target):
    contexts = []

    def make(cls=Ledger, **keys):
        ctx = Context(job_name="job")
        contexts.append(ctx)
        given = {"db": db.conninfo, "dst_db": target.conninfo, "queue_name": "q", **keys}
        return cls(ctx, RemoteConsumerConfig(job_name="job", **given))

    yield make
    for ctx in contexts:
        ctx.close_databases()
        ctx.signals.close()


@pytest.fixture
def consumer(queue, make):
    consumer = make()
    consumer.step()
    return consumer


def ledger(target):
    return [row[0] for row in target.query("select data from ledger order by id")]


def position(target):
    return target.value("select pgq_ext.get_last_tick('job')")


def crash(consumer):
    """Forget all that is not committed, as the death of the process does."""
    consumer.ctx.close_databases()


def test_events_and_position_arrive_together(queue, consumer, target):
    queue.insert(3)
    tick = queue.tick()
    assert consumer.step() is AGAIN
    assert ledger(target) == ["1", "2", "3"]
    assert position(target) == queue.position("job") == tick
    queue.insert(1)
    queue.tick()
    consumer.step()
    assert ledger(target) == ["1", "2", "3", "1"]


def test_a_batch_that_the_target_has_is_not_done_again(queue, consumer, target):
    queue.insert(2)
    queue.tick()

    def die(batch):
        raise TransientError("died before finish_batch")

    reader = consumer._reader
    reader.finish, finish = die, reader.finish
    with pytest.raises(TransientError):
        consumer.step()
    crash(consumer)
    assert position(target) != queue.position("job")
    reader.finish = finish
    consumer.step()
    assert ledger(target) == ["1", "2"]
    assert position(target) == queue.position("job")
    labels = {"queue": "q", "consumer": "job"}
    value = consumer.ctx.metrics.registry.get_sample_value
    assert value("skytools_consumer_events_skipped_total", labels) == 2
    assert value("skytools_consumer_events_total", labels) == 0


def test_failed_work_leaves_nothing_in_the_target(queue, make, target):
    class Fails(Ledger):
        def process_event(self, event, target):
            super().process_event(event, target)
            if event.data == "2" and self.broken:
                raise ValueError("no")

    consumer = make(Fails)
    consumer.step()
    queue.insert(3)
    queue.tick()
    consumer.broken = True
    with pytest.raises(ValueError, match="no"):
        consumer.step()
    crash(consumer)
    assert ledger(target) == []
    assert position(target) is None
    consumer.broken = False
    consumer.step()
    assert ledger(target) == ["1", "2", "3"]


def test_two_processes_do_the_work_once(queue, make, target):
    """The second waits for the first one's position and then finds the batch applied."""
    first, second = make(), make()
    first.step()
    second.step()
    queue.insert(2)
    queue.tick()
    batch = second._reader.next()
    first.step()
    with pytest.raises(SkytoolsError, match="closed by somebody else"):
        second.work(batch)
    crash(second)
    assert ledger(target) == ["1", "2"]


def test_the_second_of_two_processes_waits(queue, make, target):
    first, second = make(), make()
    first.step()
    api.target_position(first.target, "job")
    second.target.execute("set lock_timeout = '50ms'")
    second.target.commit()
    with pytest.raises(TransientError, match="lock timeout"):
        api.target_position(second.target, "job")
    second.target.rollback()
    assert api.target_position(second.target, "another") is None


@pytest.mark.parametrize("change", [-1, 5])
def test_positions_that_do_not_fit_stop_it(queue, consumer, target, change):
    queue.insert(1)
    queue.tick()
    consumer.step()
    target.query("select pgq_ext.set_last_tick('job', %s)", (position(target) + change,))
    queue.insert(1)
    queue.tick()
    with pytest.raises(LostPosition, match=r"dst_db has applied all up to tick .* --rewind; .*"):
        consumer.step()
    crash(consumer)
    assert ledger(target) == ["1"]


def command(consumer, name):
    consumer.command(argparse.Namespace(command=name))


def test_rewind_takes_the_targets_position(queue, consumer, target):
    """As after the source was restored, or the batch record lost: the target is right."""
    queue.insert(1)
    queue.tick()
    consumer.step()
    start = position(target)
    for _ in range(2):
        queue.insert(1)
        queue.tick()
        consumer.step()
    target.execute("delete from ledger where id > (select min(id) from ledger)")
    target.query("select pgq_ext.set_last_tick('job', %s)", (start,))
    command(consumer, "rewind")
    assert queue.position("job") == start
    consumer.step()
    consumer.step()
    assert ledger(target) == ["1", "1", "1"]


def test_rewind_without_a_position_is_refused(queue, consumer):
    with pytest.raises(SkytoolsError, match="no position of consumer job is known"):
        command(consumer, "rewind")


def test_reset_takes_the_sources_position(queue, consumer, target):
    target.query("select pgq_ext.set_last_tick('job', 9999)")
    queue.insert(1)
    queue.tick()
    with pytest.raises(LostPosition):
        consumer.step()
    crash(consumer)
    command(consumer, "reset")
    consumer.step()
    assert ledger(target) == ["1"]


def test_does_not_register_where_the_target_remembers_more(queue, make, target):
    """Registering at the newest tick would leave out what was between."""
    target.query("select pgq_ext.set_last_tick('job', 1)")
    consumer = make()
    with pytest.raises(LostPosition, match="is not registered at the source"):
        consumer.step()
    assert queue.position("job") is None
    command(consumer, "register")
    assert position(target) is None
    consumer.step()
    queue.insert(1)
    queue.tick()
    consumer.step()
    assert ledger(target) == ["1"]


def test_register_of_a_registered_consumer_changes_nothing(queue, consumer, target):
    queue.insert(1)
    tick = queue.tick()
    consumer.step()
    command(consumer, "register")
    assert position(target) == queue.position("job") == tick


def test_unregister_forgets_both_positions(queue, consumer, target):
    queue.insert(1)
    queue.tick()
    consumer.step()
    command(consumer, "unregister")
    assert queue.position("job") is None
    assert position(target) is None


def test_takes_over_from_skytools_3(queue, consumer, target):
    """Its RemoteConsumer kept the number of the last batch, not a tick."""
    queue.insert(1)
    queue.tick()
    batch = consumer._reader.next()
    target.query("select pgq_ext.set_batch_done('job', %s)", (batch.id,))
    consumer.step()
    assert ledger(target) == []
    queue.insert(2)
    queue.tick()
    consumer.step()
    assert ledger(target) == ["1", "2"]


def test_retry_is_refused_where_order_is_kept(queue, make, target):
    class Retries(SerialConsumer):
        def process_event(self, event, target):
            event.tag_retry()

    consumer = make(Retries)
    consumer.step()
    queue.insert(1)
    queue.tick()
    with pytest.raises(UsageError, match="cannot be retried"):
        consumer.step()


def test_a_batch_left_in_the_middle_is_not_committed_in_the_target(queue, make, target):
    class Leaves(Ledger):
        def process_batch(self, batch, target):
            for event in batch:
                self.process_event(event, target)
                if self.hasty:
                    break

    consumer = make(Leaves)
    consumer.step()
    queue.insert(3)
    queue.tick()
    consumer.hasty = True
    with pytest.raises(SkytoolsError, match=r"left batch .* before its last event"):
        consumer.step()
    crash(consumer)
    assert position(target) is None
    consumer.hasty = False
    consumer.step()
    assert ledger(target) == ["1", "2", "3"]


def test_target_without_pgq_ext_is_told_before_the_first_batch(queue, make, make_db):
    queue.db.query("select pgq.register_consumer('q', 'job')")
    consumer = make(dst_db=make_db(empty=True).conninfo)
    with pytest.raises(SkytoolsError, match="dst_db: the database has no pgq_ext; run there: cre"):
        consumer.step()


@pytest.mark.parametrize("level", ["off", "on", "remote_apply"])
def test_the_targets_commit_waits_for_the_disk(queue, consumer, level):
    """Work that the source believes done must outlive a crash of the target."""
    target = consumer.target
    target.execute(f"set synchronous_commit = {level}")
    target.commit()
    api.target_position(target, "job")
    assert target.value("show synchronous_commit") == ("local" if level == "off" else level)
    target.rollback()
