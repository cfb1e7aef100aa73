# SPDX-License-Identifier: ISC
"""What is in the way of rotation, and consumers that are gone: metrics, a line in the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping

from skytools.core.metrics import Gauge, Metrics
from skytools.daemons.ticker.api import Blocker, GoneConsumer

log = logging.getLogger("skytools")

# A transaction that holds up a thousand queues is told of a hundred times.
MAX_SERIES = 100

Key = tuple[str, ...]


class TroubleMetrics:
    """Series that exist only while there is trouble. Safe to use from all threads."""

    def __init__(self, metrics: Metrics) -> None:
        self._lock = threading.Lock()
        self._shown: dict[Gauge, set[Key]] = {}
        self.blockers = metrics.gauge(
            "skytools_pgq_rotation_overdue_seconds",
            "How long a rotation is overdue, and who holds it up: a consumer, a pid.",
            ("database", "queue", "reason", "who"),
        )
        self.gone = metrics.gauge(
            "skytools_pgq_consumer_gone_seconds",
            "How long a consumer that is gone by its queue's settings has left events unread.",
            ("database", "queue", "consumer"),
        )

    def set_blockers(self, database: str, rows: Iterable[Blocker]) -> None:
        """Take over what holds up rotation in one database."""
        self._set(
            self.blockers,
            database,
            {(database, row.queue, row.reason, row.who or ""): row.overdue for row in rows},
        )

    def set_gone(self, database: str, rows: Iterable[GoneConsumer]) -> None:
        """Take over who is gone in one database; tell of those who were not before."""
        rows = list(rows)
        found: dict[Key, GoneConsumer] = {(database, row.queue, row.consumer): row for row in rows}
        new = self._set(self.gone, database, {key: row.unread for key, row in found.items()})
        for key in sorted(new):
            row = found[key]
            log.warning(
                "%s: consumer %s of queue %s is gone: it has left events unread for %.0f s%s",
                *(database, row.consumer, row.queue, row.unread),
                "; rotation does not wait for it" if row.detached else "",
            )

    def forget(self, database: str) -> None:
        """Remove what is no longer known."""
        for gauge in (self.blockers, self.gone):
            self._set(gauge, database, {})

    def _set(self, gauge: Gauge, database: str, values: Mapping[Key, float]) -> set[Key]:
        """Show these series of a database and no others; returns those that are new."""
        with self._lock:
            shown = self._shown.setdefault(gauge, set())
            before = {key for key in shown if key[0] == database}
            wanted = dict(sorted(values.items())[:MAX_SERIES])
            for key in before - wanted.keys():
                gauge.remove(*key)
            for key, value in wanted.items():
                gauge.labels(*key).set(value)
            shown.difference_update(before)
            shown.update(wanted)
            return wanted.keys() - before
