# SPDX-License-Identifier: ISC
"""Signals as flags, and a wait that signals and sockets cut short.

A watcher thread reads the wakeup fd, so that a second TERM ends the process even while the
main thread sits in a database call.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Sequence
from typing import Protocol

_STOP = (signal.SIGTERM, signal.SIGINT)
_SECOND_WITHIN = 1.0


class HasFileno(Protocol):
    """Something that select() takes."""

    def fileno(self) -> int:
        """Return the file descriptor."""
        ...


class Signals:
    """TERM and INT set `stop`, a second one within a second exits at once; HUP sets `reload`."""

    def __init__(self) -> None:
        self.stop = False
        self._reload = False
        self._last_stop = 0.0
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def install(self) -> None:
        """Take over the process's signals. Main thread only, once in a process."""
        read, write = socket.socketpair()
        write.setblocking(False)
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        for number in (*_STOP, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
            signal.siginterrupt(number, False)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        self._fds = (read, write)  # kept open for the life of the process
        threading.Thread(target=self._watch, args=(read,), daemon=True, name="signals").start()

    def _watch(self, read: socket.socket) -> None:
        while numbers := read.recv(64):
            for number in numbers:
                self.received(number)

    def received(self, number: int) -> None:
        """Note one signal and wake the waiter."""
        if number == signal.SIGHUP:
            self._reload = True
        elif number in _STOP:
            now = time.monotonic()
            if self.stop and now - self._last_stop < _SECOND_WITHIN:
                os._exit(1)
            self.stop, self._last_stop = True, now
        else:
            return
        self.wake()

    def close(self) -> None:
        """Let go of the sockets; for tests, a process keeps its signals for life."""
        self._wake_read.close()
        self._wake_write.close()

    def wake(self) -> None:
        """Cut the current wait short, from any thread."""
        with contextlib.suppress(BlockingIOError):  # full of wake-ups already
            self._wake_write.send(b"x")

    def take_reload(self) -> bool:
        """Tell whether HUP came since the last call."""
        wanted, self._reload = self._reload, False
        return wanted

    def wait(self, seconds: float, wake: Sequence[HasFileno] = ()) -> None:
        """Wait until the time is over, a signal comes or one of the sockets is readable."""
        if self.stop or self._reload or seconds <= 0:
            return
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        for item in wake:
            poll.register(item.fileno(), select.POLLIN)
        poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):  # something else ended the wait
            self._wake_read.recv(4096)
