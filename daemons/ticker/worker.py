# SPDX-License-Identifier: ISC
"""A thread that works in sessions on one connection and goes on after every failure."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence

from skytools.core.backoff import Backoff
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.signals import HasFileno

log = logging.getLogger("skytools")

# A server that restarts is back in seconds: keep knocking once a second for a minute.
FIRST_WAIT = 0.2
SOON = 1.0
SOON_FOR = 60.0
LATER = 15.0


class Reconnect:
    """How long to wait after a failure: 0.2 .. 1 s in the first minute, then up to 15 s."""

    def __init__(self) -> None:
        self._soon = Backoff(first=FIRST_WAIT, cap=SOON)
        self._later = Backoff(first=2 * SOON, cap=LATER)
        self.failing_since: float | None = None

    def next(self, now: float) -> float:
        """Count a failure and return the seconds to wait."""
        if self.failing_since is None:
            self.failing_since = now
        young = now - self.failing_since < SOON_FOR
        return (self._soon if young else self._later).next()

    def reset(self) -> None:
        """Forget the failures after a success."""
        self.failing_since = None
        self._soon.reset()
        self._later.reset()


class Worker(threading.Thread):
    """Runs `session` again and again until stopped; waits that sockets and wake() cut short.

    Expected errors of a session are handed to `failed(error, seconds to wait, connection lost)`.
    An unexpected one ends the thread; the daemon's main loop starts another.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        session: Callable[[Worker], None],
        failed: Callable[[SkytoolsError, float, bool], None],
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.database = database
        self.stopping = False
        self.reconnect = Reconnect()
        self._session = session
        self._failed = failed
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def run(self) -> None:
        """Work until stop()."""
        try:
            while not self.stopping:
                try:
                    self._session(self)
                except SkytoolsError as exc:
                    self._after(exc)
        finally:
            self.database.close()
            self._wake_read.close()
            self._wake_write.close()

    def _after(self, exc: SkytoolsError) -> None:
        lost = not self.database.connected
        self.database.close()
        if not self.stopping:
            delay = self.reconnect.next(time.monotonic())
            self._failed(exc, delay, lost)
            self.pause(delay)

    def stop(self) -> None:
        """Ask the thread to end, from any thread."""
        self.stopping = True
        self.wake()

    def wake(self) -> None:
        """Cut the current pause short, from any thread."""
        with contextlib.suppress(OSError):  # full of wake-ups already, or the thread has ended
            self._wake_write.send(b"x")

    def pause(self, seconds: float, sockets: Sequence[HasFileno] = ()) -> None:
        """Wait until the time is over, wake() is called or a socket is readable."""
        if self.stopping or seconds <= 0:
            return
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        for item in sockets:
            poll.register(item.fileno(), select.POLLIN)
        poll.poll(min(seconds, 3600.0) * 1000)
        with contextlib.suppress(BlockingIOError):  # something else ended the wait
            self._wake_read.recv(4096)
