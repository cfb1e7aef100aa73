# SPDX-License-Identifier: ISC
from __future__ import annotations

import threading

import pytest

from skytools.core.db import Database
from skytools.core.errors import TransientError
from skytools.daemons.ticker.worker import LATER, SOON, SOON_FOR, Reconnect, Worker


def test_reconnect_knocks_every_second_for_a_minute_then_slows_down():
    reconnect = Reconnect()
    now, early = 0.0, []
    while now < SOON_FOR:
        delay = reconnect.next(now)
        early.append(delay)
        now += delay
    assert early[0] < 0.3
    assert max(early) <= SOON * 1.2
    late = [reconnect.next(now) for _ in range(8)]
    assert 0.8 * LATER <= late[-1] <= 1.2 * LATER
    reconnect.reset()
    assert reconnect.next(now) < 0.3


@pytest.fixture
def run_worker():
    workers = []

    def start(session, failed=lambda *_: None):
        database = Database("nowhere", "host=/nonexistent dbname=x", autocommit=True)
        worker = Worker("test", database, session, failed)
        workers.append(worker)
        worker.start()
        return worker

    yield start
    for worker in workers:
        worker.stop()
        worker.join(60)
        assert not worker.is_alive()


def test_an_expected_error_is_told_and_the_session_repeated(run_worker):
    told, twice = [], threading.Event()

    def session(worker):
        worker.database.connect()

    def failed(exc, delay, lost):
        told.append((exc, lost))
        if len(told) == 2:
            twice.set()

    run_worker(session, failed)
    assert twice.wait(60)
    assert all(isinstance(exc, TransientError) and lost for exc, lost in told)
    assert str(told[0][0]).startswith("nowhere: ")


def test_wake_cuts_a_pause_short_and_stop_ends_the_thread(run_worker):
    rounds = threading.Semaphore(0)

    def session(worker):
        rounds.release()
        worker.pause(3600)

    worker = run_worker(session)
    for _ in range(3):
        assert rounds.acquire(timeout=60)
        worker.wake()
    worker.stop()
    worker.join(60)
    assert not worker.is_alive()
