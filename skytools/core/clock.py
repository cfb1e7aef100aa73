# SPDX-License-Identifier: ISC
"""Time as an argument, so that back-off and deadlines can be tested without waiting."""

from __future__ import annotations

import time


class Clock:
    """The real clock; tests pass one with the same two methods."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()
