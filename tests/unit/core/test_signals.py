# SPDX-License-Identifier: ISC
"""Waiting that ends early, and signals as flags."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from skytools.core.signals import Signals


@pytest.fixture
def signals():
    signals = Signals()
    yield signals
    signals.close()


def timed(action) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def test_wait_ends_when_a_socket_is_readable(signals):
    left, right = socket.socketpair()
    with left, right:
        threading.Timer(0.05, right.send, (b"x",)).start()
        assert timed(lambda: signals.wait(300, [left])) < 100


def test_wait_ends_with_a_signal_and_sets_the_flag(signals):
    threading.Timer(0.05, signals.received, (signal.SIGTERM,)).start()
    assert timed(lambda: signals.wait(300)) < 100
    assert signals.stop


def test_no_wait_once_a_stop_was_asked(signals):
    signals.received(signal.SIGINT)
    assert timed(lambda: signals.wait(300)) < 100


def test_reload_is_taken_once(signals):
    signals.received(signal.SIGHUP)
    assert signals.take_reload()
    assert not signals.take_reload()
    assert not signals.stop


def test_an_old_wake_up_does_not_end_the_next_but_one_wait(signals):
    for _ in range(100):
        signals.wake()
    signals.wait(30)
    assert timed(lambda: signals.wait(0.05)) >= 0.04
