# SPDX-License-Identifier: ISC
"""A line on the terminal that tells how far a long work is: share, rows, bytes, time left."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TextIO

from skytools.core.cli import duration

WIDTH = 24
EVERY = 0.2  # s between two drawings
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000


def human_bytes(count: float) -> str:
    """Return a size with its unit, of a thousand each."""
    unit = 0
    while count >= THOUSAND and unit < len(_UNITS) - 1:
        count /= THOUSAND
        unit += 1
    return (
        f"{count:.0f} {_UNITS[unit]}"
        if unit == 0 or count >= 100
        else f"{count:.1f} {_UNITS[unit]}"
    )


class Progress:
    """Draws on standard error when that is a terminal; else it only counts. Any thread may call."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self.shown = self._stream.isatty() and not quiet and os.environ.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._drawn_at = 0.0
        self._length = 0
        self.begin("", 0)

    def begin(self, title: str, total_bytes: int) -> None:
        """Begin a new work of that size; the line of the one before goes away."""
        self.clear()
        self.title = title
        self.total = total_bytes
        self.rows = self.bytes = 0
        self._started = time.monotonic()

    def advance(self, size: int, rows: int = 0) -> None:
        """Add what has been done."""
        with self._lock:
            self.bytes += size
            self.rows += rows
            self._draw()

    def set(self, size: int, rows: int) -> None:
        """Say how much has been done in all."""
        with self._lock:
            self.bytes, self.rows = size, rows
            self._draw()

    def text(self) -> str:
        """Return the line as it would be drawn."""
        share = min(self.bytes / self.total, 1.0) if self.total else 0.0
        full = int(share * WIDTH)
        seconds = time.monotonic() - self._started
        left = duration(seconds / share - seconds) if share > 0.01 else "?"
        return (
            f"{self.title} [{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%}"
            f" {self.rows} rows, {human_bytes(self.bytes)} of {human_bytes(self.total)}, ETA {left}"
        )

    def _draw(self) -> None:
        now = time.monotonic()
        if not self.shown or now - self._drawn_at < EVERY:
            return
        self._drawn_at = now
        line = self.text()
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def clear(self) -> None:
        """Take the line away, before something else is printed."""
        with self._lock:
            if self._length:
                self._stream.write("\r" + " " * self._length + "\r")
                self._stream.flush()
                self._length = 0
