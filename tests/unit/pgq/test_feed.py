# SPDX-License-Identifier: ISC
"""Feed and layouts of keyed consumers: who gets what, who is left behind."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from skytools.pgq import BatchInfo, ConsumerInfo, Event, Tick
from skytools.pgq.feed import Feed, LeftBehind, Window
from skytools.pgq.layout import OldLayouts, positions, slot, worker_name

NOW = datetime.now(UTC)


def window(prev, *parts):
    """A window after tick `prev`; a part is the number of events of a worker."""
    info = BatchInfo(1, Tick(prev + 1, NOW, 0), Tick(prev, NOW, 0))
    lists = [[Event(n, "", 1, None, *[None] * 6) for n in range(count)] for count in parts]
    return Window(info, lists, sum(parts))


def large(prev):
    return Window(window(prev).info, None, 0)


def feed(workers=2, capacity=10, patience=0.0):
    feed = Feed(workers, capacity, patience)
    feed.begin(1)
    return feed


def took(part):
    return part and (part.info.tick.id, len(part.events))


def test_windows_come_in_order_each_worker_its_part():
    one = feed(capacity=5000)
    one.add(window(1, 2, 1))
    assert took(one.take(0, 1, 0)) == (2, 2)
    one.add(window(2, 1, 3))
    assert took(one.take(0, 2, 0)) == (3, 1)
    assert one.take(0, 3, 0) is None
    assert took(one.take(1, 2, 0)) == (3, 3)


def test_windows_that_wait_are_joined_up_to_a_size():
    one = feed(capacity=9000)
    for prev, part in ((1, 0), (2, 1500), (3, 400), (4, 0), (5, 1500), (6, 0)):
        one.add(window(prev, part, 1))
    assert took(one.take(0, 1, 0)) == (5, 1900)
    part = one.take(0, 5, 0)
    assert took(part) == (7, 1500)
    assert part.info.prev_tick.id == 5


def test_a_worker_that_is_ahead_waits():
    """As after a restart: the reader begins where the last of the workers is."""
    one = feed()
    one.add(window(1, 1, 1))
    assert one.take(0, 3, 0) is None
    one.add(window(2, 1, 1))
    one.add(window(3, 1, 1))
    assert took(one.take(0, 3, 0)) == (4, 1)


def test_a_window_that_is_added_again_counts_once():
    one = feed()
    one.add(window(1, 1, 1))
    one.add(window(1, 1, 1))
    assert took(one.take(0, 1, 0)) == (2, 1)
    assert one.take(0, 2, 0) is None


def test_who_is_behind_reads_by_himself():
    one = feed(workers=3)
    one.take(0, 1, 0)
    for prev in (1, 2):
        one.add(window(prev, 1, 2, 2))
        one.take(1, prev + 1, 0)
        one.take(2, prev + 1, 0)
    one.add(window(3, 1, 2, 2))
    with pytest.raises(LeftBehind):
        one.take(0, 1, 0)
    assert took(one.take(0, 2, 0)) == (4, 2)


def test_who_reads_by_himself_holds_up_nobody():
    one = feed(patience=3600)
    one.take(0, 1, 0)
    one.take(1, 1, 0)
    one.add(window(1, 5, 5))
    one.take(0, 2, 0)
    one.leave(1, 1)
    one.add(window(2, 5, 5))
    assert took(one.take(0, 2, 0)) == (3, 5)


def test_too_large_a_window_is_read_by_each():
    one = feed()
    one.add(large(1))
    one.add(window(2, 1, 1))
    with pytest.raises(LeftBehind):
        one.take(0, 1, 0)
    assert took(one.take(0, 2, 0)) == (3, 1)


def test_the_reader_waits_while_most_are_busy():
    one = feed(capacity=2, patience=0.01)
    one.take(0, 1, 0)
    one.take(1, 1, 0)
    one.add(window(1, 1, 1))
    added = threading.Event()

    def add():
        one.add(window(2, 1, 1))
        added.set()

    thread = threading.Thread(target=add)
    thread.start()
    assert not added.wait(0.1)
    one.take(0, 2, 0)
    assert added.wait(60)
    thread.join()
    with pytest.raises(LeftBehind):
        one.take(1, 1, 0)


def test_closing_lets_everyone_go():
    one = feed(capacity=2, patience=3600)
    one.take(0, 1, 0)
    one.add(window(1, 1, 1))
    threads = [
        threading.Thread(target=one.add, args=(window(2, 2, 2),)),
        threading.Thread(target=one.take, args=(1, 9, 3600)),
    ]
    for thread in threads:
        thread.start()
    one.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_slots_stay_what_they_are():
    """Positions in the field rely on these numbers."""
    assert [slot(key, 8) for key in ("a", "b", "customer-17", "ü", "", None)] == [3, 1, 7, 5, 0, 0]


def info(name, tick):
    zero = timedelta()
    return ConsumerInfo("q", name, zero, zero, tick, None, None, 0)


def test_layouts_are_found_by_name():
    found = [info("c", 9), info("c#1/2", 3), info("c#2/2", 4), info("c#1/3", 5), info("cc#1/2", 6),
             info("c#x/2", 7)]  # fmt: skip
    assert positions("c", found) == {2: {0: 3, 1: 4}, 3: {0: 5}}
    assert worker_name("c", 0, 2) == "c#1/2"


def test_what_former_workers_have_done_is_known():
    old = OldLayouts({2: {0: 5, 1: 9}})
    even = next(key for key in "abcdef" if slot(key, 2) == 0)
    odd = next(key for key in "abcdef" if slot(key, 2) == 1)
    assert old.until == 9
    assert [old.has_done(even, tick) for tick in (5, 6)] == [True, False]
    assert [old.has_done(odd, tick) for tick in (9, 10)] == [True, False]
    old.clear()
    assert old.until == 0
    assert not old.has_done(even, 1)


def test_nobody_waits_for_more_while_the_reader_waits_for_room():
    """With windows nearly as large as the feed this took the whole pause each time."""
    one = feed(workers=1, capacity=100, patience=3600)
    old = datetime.now(UTC) - timedelta(hours=1)

    def past(prev):
        made = window(prev, 60)
        info = BatchInfo(1, Tick(prev + 1, old, 0), made.info.prev_tick)
        return Window(info, made.parts, made.size)

    one.take(0, 1, 0)
    one.add(past(1))
    reader = threading.Thread(target=one.add, args=(past(2),))
    begun = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skytools.pgq.feed.LINGER", 3600)
        reader.start()
        assert took(one.take(0, 1, 0)) == (2, 60)
    assert took(one.take(0, 2, 5)) == (3, 60)
    reader.join(60)
    assert time.monotonic() - begun < 600
