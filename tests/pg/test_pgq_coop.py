# SPDX-License-Identifier: ISC
"""CoopConsumer: siblings of one consumer share its batches."""

from __future__ import annotations

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError, DatabaseError, SkytoolsError
from skytools.core.service import AGAIN
from skytools.pgq import CoopConsumer, CoopConsumerConfig
from skytools.pgq import coop as coop_module


class Sharer(CoopConsumer):
    poison = ""

    def process_event(self, event):
        self.db.execute("insert into done values (%s, %s)", (self.cfg.subconsumer_name, event.data))
        if event.data == self.poison:
            raise ValueError("no")


@pytest.fixture
def make(queue, make_consumer):
    queue.db.execute("create table done (who text, data text)")

    def make(name, **keys):
        consumer = make_consumer(Sharer, subconsumer_name=name, **keys)
        consumer.step()
        return consumer

    return make


def done(queue):
    return queue.db.query("select who, data from done order by data")


def rests(consumer):
    """Look, and once more: the first look may have been due to a tick that a sibling has got."""
    consumer.step()
    return consumer.step() is not AGAIN


def events(queue, count):
    for number in range(1, count + 1):
        queue.db.query("select pgq.insert_event('q', 't', %s)", (str(number),))
        queue.tick()


def test_siblings_work_on_different_batches_at_once(queue, make):
    one, two = make("one"), make("two")
    events(queue, 2)
    first, second = one._reader.next(), two._reader.next()
    assert {first.id, second.id} == {1, 2}
    assert (first.prev_tick.id, first.tick.id, second.tick.id) == (1, 2, 3)
    assert first.tick.time < second.tick.time
    two.work(second)
    assert done(queue) == [("two", "2")]
    one.work(first)
    assert done(queue) == [("one", "1"), ("two", "2")]
    assert queue.position("job") == queue.last_tick()


def test_each_batch_is_done_once_and_counted(queue, make):
    consumers = [make("one"), make("two")]
    events(queue, 6)
    for _ in range(3):
        for consumer in consumers:
            assert consumer.step() is AGAIN
    assert [data for _, data in done(queue)] == list("123456")
    assert {who for who, _ in done(queue)} == {"one", "two"}
    assert all(rests(consumer) for consumer in consumers)


def test_a_failed_batch_comes_again_to_the_same_one(queue, make):
    one, two = make("one"), make("two")
    events(queue, 1)
    one.poison = "1"
    with pytest.raises(ValueError, match="no"):
        one.step()
    one.ctx.close_databases()
    assert rests(two)
    one.poison = ""
    assert one.step() is AGAIN
    assert done(queue) == [("one", "1")]


def test_the_batch_of_a_dead_sibling_is_taken_over(queue, make):
    dead, alive = make("dead"), make("alive", subconsumer_timeout="1 hour")
    events(queue, 1)
    assert dead._reader.next()
    dead.ctx.close_databases()
    assert rests(alive)
    alive.cfg = CoopConsumerConfig(
        db=alive.cfg.db, queue_name="q", job_name="job", subconsumer_name="alive",
        subconsumer_timeout="0",
    )  # fmt: skip
    alive._reader = None
    assert alive.step() is AGAIN
    assert done(queue) == [("alive", "1")]


def test_what_was_taken_over_is_not_committed_by_its_former_owner(queue, make):
    slow, quick = make("slow"), make("quick", subconsumer_timeout="0")
    events(queue, 1)
    batch = slow._reader.next()
    slow.process_batch(batch)
    assert quick.step() is AGAIN
    with pytest.raises(SkytoolsError, match="closed by somebody else"):
        slow._reader.finish(batch)
    slow.ctx.close_databases()
    assert done(queue) == [("quick", "1")]
    assert rests(slow)


def test_signs_of_life_keep_a_long_batch(queue, make, monkeypatch):
    monkeypatch.setattr(coop_module, "HEARTBEAT_SECONDS", 0.0)
    slow = make("slow", subconsumer_timeout="1 hour", pgq_lazy_fetch=1)
    queue.insert(50)
    queue.tick()
    query = """select sub_active from pgq.subscription join pgq.consumer on co_id = sub_consumer
                where co_name = 'job.slow'"""
    batch = slow._reader.next()
    seen = set()
    for _ in batch:
        seen.add(queue.db.value(query))
    assert len(seen) > 3
    slow._reader.finish(batch)


def test_the_loss_of_a_long_batch_is_noticed_in_the_middle(queue, make, monkeypatch):
    monkeypatch.setattr(coop_module, "HEARTBEAT_SECONDS", 0.0)
    slow = make("slow", subconsumer_timeout="1 hour", pgq_lazy_fetch=1)
    queue.insert(50)
    queue.tick()

    class Thief:
        stolen = False

        def __call__(self, event):
            if not self.stolen:
                self.stolen = True
                queue.db.query("select pgq_coop.next_batch('q', 'job', 'thief', interval '0')")

    slow.process_event = Thief()
    with pytest.raises(SkytoolsError, match="was taken over by another subconsumer of job"):
        slow.step()


def test_leaving_is_refused_with_an_open_batch(queue, make):
    one = make("one")
    events(queue, 1)
    one._reader.next()
    with pytest.raises(DatabaseError, match="subconsumer has active batch"):
        one.unregister()
    one.ctx.close_databases()
    one.step()
    one.unregister()
    assert queue.position("job.one") is None
    assert queue.position("job") == queue.last_tick()


def test_an_event_at_fault_is_a_dead_letter_of_the_group(queue, make):
    one = make("one", batch_tries=1, max_tries=1)
    events(queue, 1)
    one.poison = "1"
    with pytest.raises(ValueError, match="no"):
        one.step()
    one.ctx.close_databases()
    assert one.step() is AGAIN
    assert queue.db.value("select pgq.failed_event_count('q', 'job')") == 1


def test_without_the_extension_it_says_so(queue, make_consumer):
    queue.db.execute("drop extension pgq_coop")
    with pytest.raises(SkytoolsError, match="db: the database has no pgq_coop; run there: create"):
        make_consumer(Sharer, subconsumer_name="one").step()


def test_names_with_dots_are_refused(tmp_path):
    path = tmp_path / "job.ini"
    path.write_text("[x]\ndb = dbname=x\nqueue_name = q\nsubconsumer_name = a.b\n")
    with pytest.raises(ConfigError, match="subconsumer_name: must not have a dot"):
        load(CoopConsumerConfig, path)
