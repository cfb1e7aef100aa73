# SPDX-License-Identifier: ISC
"""Ticking step by step on a real database, for moments that no process can be held at."""

from __future__ import annotations

import time

import pytest

from skytools.core.db import Database
from skytools.core.metrics import Metrics
from skytools.daemons.ticker import api
from skytools.daemons.ticker.config import TickerConfig
from skytools.daemons.ticker.metrics import TickerMetrics
from skytools.daemons.ticker.ticking import Ticking
from skytools.daemons.ticker.worker import Worker
from tests.fixtures.ticker import asleep, insert_event, make_queue


@pytest.fixture
def ticking(db):
    make_queue(db)
    database = Database("ticker", db.conninfo, autocommit=True)
    database.listen(api.WAKEUP_CHANNEL)
    worker = Worker("ticker", database, lambda _: None, lambda *_: None)
    cfg = TickerConfig(look_period=3600.0, sleep_after=0.01)
    yield Ticking(worker, lambda: cfg, TickerMetrics(Metrics()), lambda _: None)
    worker.stop()
    worker.run()  # closes what it holds


def step_until(ticking, condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        ticking._step()
        ticking.worker.pause(0.002)


def test_a_notification_read_together_with_an_answer_is_not_slept_over(db, ticking, monkeypatch):
    """It is in no socket any more, so waiting for the socket would miss it."""
    sleep = api.ticker_sleep

    def event_just_then(database, ids):
        refused = sleep(database, ids)
        insert_event(db)
        database.execute("select pg_sleep(0.1)")
        return refused

    monkeypatch.setattr(api, "ticker_sleep", event_just_then)
    step_until(ticking, lambda: any(q.asleep for q in ticking.schedule.queues.values())
               or ticking._woken)  # fmt: skip
    assert ticking.schedule.next_at() <= time.monotonic()
    ticks = db.value("select count(*) from pgq.tick")
    ticking._step()
    assert db.value("select count(*) from pgq.tick") == ticks + 1
    assert not asleep(db)


def test_a_sleeping_queue_is_left_alone_until_its_idle_tick(db, ticking):
    step_until(ticking, lambda: asleep(db))
    before = time.monotonic()
    ticking._step()
    idle_at = ticking.schedule.next_at()
    # A minute after the last tick, which was a moment before it fell asleep.
    assert before + 50 < idle_at <= time.monotonic() + 61
