# SPDX-License-Identifier: ISC
"""KeyedConsumer: parallel over keys, in order for each, exactly once."""

from __future__ import annotations

import threading
import time

import pytest

from skytools.core.errors import FatalStateError, SkytoolsError
from skytools.pgq import KeyedConsumer
from skytools.pgq.layout import slot

DONE = "create table done (id bigserial, who text, key text, n int)"


class Keyed(KeyedConsumer):
    """Writes what it does; waits at key `slow` until `gate` is open, fails at `poison`."""

    gate = threading.Event()
    poison: str | None = None
    later: str | None = None

    def process_event(self, event):
        if event.extra1 == "slow":
            assert self.gate.wait(120)
        self.db.execute(
            "insert into done (who, key, n) values (%s, %s, %s)",
            (self.cfg.consumer, event.extra1, int(event.data)),
        )
        if event.data == type(self).poison:
            raise ValueError("cannot stand it")
        if event.data == type(self).later and not event.retry:
            event.tag_retry(0)


@pytest.fixture
def run(queue, make_consumer, wait_until):
    """Give a function that makes consumers; all of them are stopped at the end."""
    queue.db.execute(DONE)
    Keyed.gate, Keyed.poison, Keyed.later = threading.Event(), None, None
    made = []

    def make(**keys):
        consumer = make_consumer(Keyed, **{"workers": 4, "batch_tries": 1, **keys})
        made.append(consumer)
        consumer.step()
        return consumer

    yield make
    Keyed.gate.set()
    for consumer in made:
        consumer.close()


def events(queue, numbers, keys="abcdefgh"):
    for number in numbers:
        key = keys[number % len(keys)]
        queue.db.query(
            "select pgq.insert_event('q', 't', %s, %s, null, null, null)", (str(number), key)
        )


def drive(consumer, wait_until, condition):
    def step():
        consumer.step()
        return condition()

    wait_until(step)


def done(queue):
    return queue.db.query("select key, n from done order by id")


def is_ordered(rows):
    return all(
        [n for k, n in rows if k == key] == sorted(n for k, n in rows if k == key)
        for key in {k for k, _ in rows}
    )


def numbers(queue):
    return sorted(n for _, n in done(queue))


def test_each_key_stays_with_one_worker_and_in_order(queue, run, wait_until):
    consumer = run()
    for first in range(1, 200, 20):
        events(queue, range(first, first + 20))
        queue.tick()
    drive(consumer, wait_until, lambda: len(done(queue)) >= 200)
    assert numbers(queue) == list(range(1, 201))
    assert is_ordered(done(queue))
    pairs = queue.db.query("select distinct key, who from done")
    assert dict(pairs) == {key: f"job#{slot(key, 4) + 1}/4" for key in "abcdefgh"}
    assert len(pairs) == 8


def test_a_slow_key_stops_its_own_worker_only(queue, run, wait_until):
    consumer = run(backlog_events=20)
    slow = slot("slow", 4)
    others = [key for key in "abcdefghijkl" if slot(key, 4) != slow]
    events(queue, [0], ["slow"])
    for first in range(1, 200, 10):
        events(queue, range(first, first + 10), others)
        queue.tick()
    drive(consumer, wait_until, lambda: len(done(queue)) >= 200)
    assert numbers(queue) == list(range(1, 201))
    events(queue, range(201, 221), ["slow"])
    queue.tick()
    Keyed.gate.set()
    drive(consumer, wait_until, lambda: len(done(queue)) >= 221)
    assert is_ordered(done(queue))
    assert numbers(queue) == list(range(221))


def test_positions_reach_the_end_also_of_workers_without_events(
    queue, run, wait_until, monkeypatch
):
    monkeypatch.setattr("skytools.pgq.keyed_worker.SAVE_SECONDS", 0.0)
    consumer = run()
    events(queue, range(10), ["a"])
    last = queue.tick()
    names = [f"job#{n}/4" for n in range(1, 5)]
    drive(consumer, wait_until, lambda: all(queue.position(name) == last for name in names))


def test_a_batch_that_is_too_large_for_memory(queue, run, wait_until):
    consumer = run(backlog_events=10)
    events(queue, range(100))
    queue.tick()
    events(queue, range(100, 104))
    queue.tick()
    drive(consumer, wait_until, lambda: len(done(queue)) >= 104)
    assert numbers(queue) == list(range(104))
    assert is_ordered(done(queue))


def test_an_event_at_fault_blocks_its_worker_only(queue, run, wait_until):
    consumer = run()
    Keyed.poison = "5"
    keys = ["a", "b", "c", "d", "e", "f", "g", "h"]
    bad = slot(keys[5], 4)
    events(queue, range(80), keys)
    queue.tick()
    wanted = [n for n in range(80) if slot(keys[n % 8], 4) != bad]
    drive(consumer, wait_until, lambda: len(done(queue)) >= len(wanted))
    assert numbers(queue) == wanted
    Keyed.poison = None
    drive(consumer, wait_until, lambda: len(done(queue)) >= 80)
    assert numbers(queue) == list(range(80))
    assert is_ordered(done(queue))


def test_dead_letters_and_retries_of_workers(queue, run, wait_until):
    consumer = run(max_tries=1)
    Keyed.poison, Keyed.later = "5", "7"
    events(queue, range(40))
    queue.tick()
    drive(consumer, wait_until, lambda: len(done(queue)) >= 39)
    wait_until(lambda: queue.db.value("select count(*) from pgq.retry_queue") == 1)
    assert queue.db.value("select ev_data from pgq.failed_event_list('q', 'job')") == "5"
    assert queue.db.value("select pgq.maint_retry_events()") == 1
    Keyed.poison = None
    assert queue.db.value("select pgq.failed_event_redrive('q', 'job')") == 1
    queue.tick()
    drive(consumer, wait_until, lambda: len(done(queue)) >= 41)
    assert numbers(queue) == sorted([*range(40), 7])
    who = queue.db.query("select distinct who from done where n in (5, 7) order by 1")
    assert len(who) == len({slot("f", 4), slot("h", 4)})


@pytest.mark.parametrize("change", [(4, 7), (4, 2), (4, 7, 4)])
def test_the_number_of_workers_may_change(queue, run, wait_until, change):
    """Where some are far ahead of others: nothing is lost, doubled or overtaken."""
    count = 0
    for workers in change:
        Keyed.gate.clear()
        consumer = run(workers=workers)
        events(queue, [count], ["slow"])
        events(queue, range(count + 1, count + 41))
        queue.tick()
        wanted = [n for n in range(count + 1, count + 41)
                  if slot("abcdefgh"[n % 8], workers) != slot("slow", workers)]  # fmt: skip
        drive(consumer, wait_until, lambda some=set(wanted): some <= set(numbers(queue)))
        count += 41
        for worker, _ in consumer._crew:
            worker.ctx.signals.stop = True
        consumer._feed.close()
        # The process dies here: the one at the slow event never gets to its commit.
        for worker, _ in consumer._crew:
            worker._consumer.db.cancel()
        queue.db.query(
            """select pg_terminate_backend(pid, 10000) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()"""
        )
        Keyed.gate.set()
        consumer.close()
        consumer.ctx.close_databases()
    consumer = run(workers=change[-1])
    queue.tick()
    drive(consumer, wait_until, lambda: len(done(queue)) >= count)
    assert numbers(queue) == list(range(count))
    assert is_ordered(done(queue))
    events(queue, range(count, count + 40), "abcdefghijklmnopqrstuvwxyz")
    queue.tick()
    names = {f"job#{n + 1}/{change[-1]}" for n in range(change[-1])}

    def only_the_last_layout():
        queue.tick()
        found = queue.db.query("select consumer_name from pgq.get_consumer_info('q')")
        return {row[0] for row in found} == names | {"job"}

    drive(consumer, wait_until, only_the_last_layout)


def test_two_processes_do_the_work_once(queue, run, wait_until):
    first, second = run(), run()
    for start in range(0, 100, 10):
        events(queue, range(start, start + 10))
        queue.tick()

    def both():
        for consumer in (first, second):
            try:
                consumer.step()
            except SkytoolsError:  # the batch was closed by the other one
                consumer.ctx.close_databases()
        return len(done(queue)) >= 100

    wait_until(both)
    assert numbers(queue) == list(range(100))
    assert is_ordered(done(queue))


def test_a_worker_that_cannot_go_on_ends_the_process(queue, run, wait_until):
    consumer = run()
    queue.db.query("select pgq.unregister_keyed('q', 'job', 4)")
    events(queue, range(8))
    queue.tick()

    def ends():
        try:
            consumer.step()
        except FatalStateError as exc:
            return str(exc)
        return ""

    assert "was unregistered while running" in wait_until(ends)


def test_stopping_waits_for_what_is_being_done(queue, run, wait_until):
    consumer = run()
    events(queue, [1], ["slow"])
    queue.tick()
    consumer.step()
    opener = threading.Timer(0.3, Keyed.gate.set)
    opener.start()
    begun = time.monotonic()
    wait_until(lambda: consumer._feed._taken)
    drive(consumer, wait_until, lambda: done(queue) == [("slow", 1)])
    consumer.close()
    assert time.monotonic() - begun < 100
    assert queue.position(f"job#{slot('slow', 4) + 1}/4") == queue.last_tick()


def test_a_run_that_ends_by_itself_waits_for_the_workers(queue, run, wait_until):
    consumer = run(loop_delay=0.0)
    consumer.ctx.signals.stop = False  # the first look has found nothing
    events(queue, range(1, 9), keys=["slow", "a", "b", "c"])
    queue.tick()
    threading.Timer(0.5, Keyed.gate.set).start()
    drive(consumer, wait_until, lambda: consumer.ctx.stopping)
    assert numbers(queue) == list(range(1, 9))


def test_unregister_forgets_the_workers(queue, run):
    consumer = run()
    consumer.close()
    consumer.unregister()
    assert queue.db.query("select * from pgq.get_consumer_info('q')") == []
