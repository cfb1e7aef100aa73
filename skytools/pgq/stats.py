# SPDX-License-Identifier: ISC
"""What a consumer counts: metrics, and one log line in a while."""

from __future__ import annotations

import logging

from skytools.core.clock import Clock
from skytools.core.metrics import BATCH_EVENTS, BATCH_SECONDS, Metrics
from skytools.pgq.batch import Batch

log = logging.getLogger("skytools")

LABELS = ("queue", "consumer")
PREFIX = "skytools_consumer_"


class ConsumerStats:
    """The series of one consumer process."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._batches = metrics.counter(PREFIX + "batches_total", "Batches finished.", LABELS)
        self._failures = metrics.counter(
            PREFIX + "batch_failures_total", "Batches whose work failed and is retried.", LABELS
        )
        self._events = metrics.counter(PREFIX + "events_total", "Events worked on.", LABELS)
        self._retried = metrics.counter(
            PREFIX + "events_retried_total", "Events put off by the handler.", LABELS
        )
        self._skipped = metrics.counter(
            PREFIX + "events_skipped_total", "Events that an earlier run had worked on.", LABELS
        )
        self._duration = metrics.histogram(
            PREFIX + "batch_duration_seconds", "From reading to commit.", LABELS,
            buckets=BATCH_SECONDS,
        )  # fmt: skip
        self._size = metrics.histogram(
            PREFIX + "batch_events", "Events of a batch.", LABELS, buckets=BATCH_EVENTS
        )
        self._last = metrics.gauge(
            PREFIX + "last_batch_timestamp_seconds", "When a batch was finished last.", LABELS
        )
        self._last_tick = metrics.gauge(
            PREFIX + "last_batch_tick_timestamp_seconds",
            "When the tick was made that ended the last finished batch.",
            LABELS,
        )
        self.use("", "", 0)

    def use(self, queue: str, consumer: str, log_every: float) -> None:
        """Count for this queue and consumer from now on; `log_every` is in seconds."""
        self._labels = (queue, consumer)
        self._log_every = log_every
        self._since = self._clock.monotonic()
        self._sum_batches = self._sum_events = 0
        if queue:
            for counter in (self._batches, self._failures, self._events, self._retried):
                counter.labels(*self._labels)  # exists at 0, so that rates see the first event
            self._skipped.labels(*self._labels)

    def finished(self, batch: Batch, seconds: float) -> None:
        """Count a batch that was worked on and committed."""
        labels = self._labels
        self._events.labels(*labels).inc(batch.events)
        self._retried.labels(*labels).inc(batch.retried)
        self._skipped.labels(*labels).inc(batch.skipped)
        self._duration.labels(*labels).observe(seconds)
        self._size.labels(*labels).observe(batch.events)
        self._batches.labels(*labels).inc()
        self._last.labels(*labels).set(self._clock.time())
        self._last_tick.labels(*labels).set(batch.tick.time.timestamp())
        self._sum_batches += 1
        self._sum_events += batch.events

    def failed(self) -> None:
        """Count a batch that failed."""
        self._failures.labels(*self._labels).inc()

    def report(self, *, last: bool = False) -> None:
        """Log the counts when it is time to; the last ones, if there are any, at the end."""
        seconds = self._clock.monotonic() - self._since
        if not self._sum_batches if last else seconds < self._log_every:
            return
        if self._sum_batches:
            log.info(
                "%d batches, %d events in %.0f s", self._sum_batches, self._sum_events, seconds
            )
        else:
            log.info("idle for %.0f s", seconds)
        self._since = self._clock.monotonic()
        self._sum_batches = self._sum_events = 0
