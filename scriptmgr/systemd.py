# SPDX-License-Identifier: ISC
"""What the manager tells systemd about itself; jobs never speak to systemd."""

from __future__ import annotations

import os
from collections.abc import Callable

from skytools.core.notify import Notifier

STATUS_INTERVAL = 1.0

# Passed by systemd to its main process only; a child that inherited them could end the unit.
FOREIGN = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "FDSTORE", "WATCHDOG_PID")


class SystemdNotifier:
    """READY, STATUS, WATCHDOG, RELOADING and STOPPING of the manager.

    Made before anything is spawned: it takes NOTIFY_SOCKET and its kin out of the environment.
    """

    def __init__(self, notifier: Notifier | None = None) -> None:
        self.supervised = bool(os.environ.get("NOTIFY_SOCKET"))
        self._notifier = notifier or Notifier()
        for name in FOREIGN:
            os.environ.pop(name, None)
        self._ready = False
        self._next_ping = 0.0
        self._next_status = 0.0
        self.behind = False  # whether a changed status may not have been told yet

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings, None when systemd does not ask for any."""
        return self._notifier.watchdog_interval

    def tick(self, now: float, status: Callable[[], str]) -> None:
        """Ping when due and tell a changed status, at most once a second."""
        interval = self._notifier.watchdog_interval
        if interval is not None and now >= self._next_ping:
            self._notifier.watchdog()
            self._next_ping = now + interval
        self.behind = now < self._next_status
        if not self.behind:
            self._notifier.status(status())
            self._next_status = now + STATUS_INTERVAL

    def ready(self) -> None:
        """Say READY=1, once."""
        if not self._ready:
            self._ready = True
            self._notifier.ready()

    def reloading(self) -> None:
        """Say that a reload by HUP begins."""
        self._notifier.reloading()

    def reloaded(self) -> None:
        """Say that the reload is over, well or badly."""
        self._notifier.ready()

    def extend(self, seconds: float) -> None:
        """Ask for more time, during start and stop."""
        self._notifier.extend(seconds)

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._notifier.stopping()
