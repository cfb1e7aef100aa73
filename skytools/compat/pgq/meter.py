# SPDX-License-Identifier: ISC
"""Metrics of a consumer, in the series that our own consumers have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from skytools.compat.runtime import Runtime
from skytools.pgq.batch import Batch
from skytools.pgq.stats import ConsumerStats


class Meter:
    """Counts for one consumer; also when it was idle for `keepalive` seconds."""

    def __init__(self, runtime: Runtime, queue: str, consumer: str, keepalive: float) -> None:
        self._clock = runtime.clock
        self._keepalive = keepalive
        self._busy_at = self._clock.monotonic()
        self._stats = ConsumerStats(runtime.metrics, runtime.clock)
        self._stats.use(queue, consumer, keepalive)

    def finished(
        self, info: dict[str, Any] | None, events: int, retried: int, seconds: float
    ) -> None:
        """Count a batch that was committed."""
        self._busy_at = self._clock.monotonic()
        tick = SimpleNamespace(time=info["cur_tick_time"]) if info else None
        if tick is not None:
            batch = SimpleNamespace(events=events, retried=retried, skipped=0, tick=tick)
            self._stats.finished(cast("Batch", batch), seconds)

    def failed(self) -> None:
        """Count a batch that failed."""
        self._stats.failed()

    def idle(self) -> float:
        """Return for how long nothing came, when it is time to say so, else 0."""
        now = self._clock.monotonic()
        if now - self._busy_at < self._keepalive:
            return 0.0
        seconds, self._busy_at = now - self._busy_at, now
        return seconds
