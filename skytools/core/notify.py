# SPDX-License-Identifier: ISC
"""sd_notify: telling systemd, or scriptmgr's relay, how we are. The only user of sdnotify."""

from __future__ import annotations

import logging
import os
import select
import time

import sdnotify

log = logging.getLogger(__name__)

_PATIENCE = 1.0  # seconds that a message may wait for room in the receiver's queue


class Notifier:
    """Sends state to NOTIFY_SOCKET when there is one.

    The variables are taken out of the environment, so that programs we start cannot speak in
    our name. `watchdog_interval` is the seconds between pings that the manager asked for,
    None when it watches nothing.
    """

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        usec = os.environ.get("WATCHDOG_USEC", "")
        pid = os.environ.get("WATCHDOG_PID", "")
        self.watchdog_interval: float | None = None
        if usec.isdigit() and int(usec) > 0 and pid in ("", str(os.getpid())):
            self.watchdog_interval = int(usec) / 1e6 / 3
        self._client = self._connect() if address else None
        self._warned = False
        self._status = ""
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            os.environ.pop(name, None)

    def _connect(self) -> sdnotify.SystemdNotifier | None:
        # debug=True makes sdnotify raise where it would swallow every exception.
        try:
            client = sdnotify.SystemdNotifier(debug=True)
            client.socket.setblocking(False)
        except OSError as exc:
            log.warning("NOTIFY_SOCKET cannot be used: %s", exc)
            return None
        return client

    def send(self, *lines: str) -> None:
        """Send one datagram. Text is made ASCII: sdnotify encodes latin-1. Never raises."""
        if self._client is None:
            return
        text = "\n".join(lines).encode("ascii", "replace").decode("ascii")
        try:
            try:
                self._client.notify(text)
            except BlockingIOError:
                # The receiver's queue is full, often after 10 messages: READY must not be lost.
                select.select([], [self._client.socket], [], _PATIENCE)
                self._client.notify(text)
        except OSError as exc:
            if not self._warned:
                log.warning("sd_notify failed: %s", exc)
            self._warned = True

    def close(self) -> None:
        """Close the socket."""
        if self._client is not None:
            self._client.socket.close()
            self._client = None

    def ready(self) -> None:
        """Say that the service works."""
        self.send("READY=1")

    def status(self, text: str) -> None:
        """One line for people; sent on change only."""
        if text != self._status:
            self._status = text
            self.send("STATUS=" + text.replace("\n", " "))

    def watchdog(self) -> None:
        """Ping: a step of work was done."""
        if self.watchdog_interval is not None:
            self.send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the service ends on purpose."""
        self.send("STOPPING=1")

    def reloading(self) -> None:
        """Say that a reload begins; ready() must follow."""
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send("RELOADING=1", f"MONOTONIC_USEC={usec}")

    def extend(self, seconds: float) -> None:
        """Ask for that much more time before the next state change."""
        self.send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")
