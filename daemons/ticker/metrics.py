# SPDX-License-Identifier: ISC
"""The ticker's metrics, and the view of every queue and consumer that only the ticker exports."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from skytools.core.metrics import Counter, Gauge, Histogram, Metrics
from skytools.daemons.ticker.api import ConsumerStats, QueueStats
from skytools.daemons.ticker.trouble import TroubleMetrics

MAX_CONSUMERS = 1000

_TICK_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_MAINT_SECONDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1800)
_QUEUE = ("database", "queue")
_CONSUMER = ("database", "queue", "consumer")
STATES = ("ticking", "waiting", "ignored", "failed")
STAGES = ("connect", "tick", "maint", "retry", "stats")

QueueKey = tuple[str, str]
ConsumerKey = tuple[str, str, str]
Shown = dict[str, tuple[Gauge, float]]  # field -> its series and what it shows


class TickerMetrics:
    """Every series of the process. Safe to use from all threads."""

    def __init__(self, metrics: Metrics) -> None:
        self._lock = threading.Lock()
        self._make_work_series(metrics)
        self._make_figures(metrics)
        self.queue_gauges = _queue_gauges(metrics)
        self.consumer_gauges = _consumer_gauges(metrics)
        self.trouble = TroubleMetrics(metrics)
        self._event_ids: dict[QueueKey, int] = {}
        self._last_ticks: dict[QueueKey, int] = {}
        self._queues: dict[str, set[QueueKey]] = {}
        self._consumers: dict[str, set[ConsumerKey]] = {}
        self._ticked: set[QueueKey] = set()
        self._shown: dict[tuple[str, ...], Shown] = {}
        self._operations: dict[str, set[str]] = {}

    def _make_work_series(self, metrics: Metrics) -> None:
        """Make the series of what the ticker itself does."""
        self.databases = metrics.gauge(
            "skytools_ticker_databases",
            "Databases by what the ticker does with them; waiting: another ticker serves it.",
            ("state",),
        )
        self.ticks = metrics.counter("skytools_ticker_ticks_total", "Ticks made.", _QUEUE)
        self.errors = metrics.counter(
            "skytools_ticker_errors_total", "Failures by stage of the work.", ("database", "stage")
        )
        self.tick_seconds = metrics.histogram(
            "skytools_ticker_tick_duration_seconds",
            "Time of one look at the queues that were due, with their ticks.",
            ("database",),
            buckets=_TICK_SECONDS,
        )
        self.maint_seconds = metrics.histogram(
            "skytools_ticker_maintenance_duration_seconds",
            "Time of one maintenance operation.",
            ("database", "operation"),
            buckets=_MAINT_SECONDS,
        )
        self.maint_success = metrics.gauge(
            "skytools_ticker_maintenance_last_success_timestamp_seconds",
            "When maintenance last ran without any error.",
            ("database",),
        )
        self.retried = metrics.counter(
            "skytools_ticker_retry_events_total", "Retry events put back.", ("database",)
        )

    def _make_figures(self, metrics: Metrics) -> None:
        """Make the series of what was read from the databases, without the queues' gauges."""
        self.polled = metrics.gauge(
            "skytools_pgq_stats_timestamp_seconds",
            "When the figures of queues and consumers were read.",
            ("database",),
        )
        self.consumers_cut = metrics.gauge(
            "skytools_pgq_consumers_cut",
            f"Consumers without metrics, because there are more than {MAX_CONSUMERS}.",
            ("database",),
        )
        self.events = metrics.counter(
            "skytools_pgq_queue_events_total", "Events, by the event id sequence.", _QUEUE
        )

    def error(self, database: str, stage: str) -> None:
        """Count a failure."""
        self.errors.labels(database=database, stage=stage).inc()

    def maintenance_timer(self, database: str, operation: str) -> Histogram:
        """Return where the seconds of a maintenance operation are observed."""
        with self._lock:
            self._operations.setdefault(database, set()).add(operation)
        return self.maint_seconds.labels(database=database, operation=operation)

    def ticked(self, database: str, queue: str) -> None:
        """Count a tick."""
        key = (database, queue)
        if key not in self._ticked:
            with self._lock:
                self._ticked.add(key)
        self.ticks.labels(*key).inc()

    def count_databases(self, states: Mapping[str, int]) -> None:
        """Set how many databases are in which state."""
        for state in STATES:
            self.databases.labels(state=state).set(states.get(state, 0))

    def set_queues(self, database: str, rows: Iterable[QueueStats], *, count_ticks: bool) -> None:
        """Take over the queue figures of one database; queues that are gone disappear.

        `count_ticks`: the SQL does not tell which queue ticked, so count by tick ids.
        """
        found: set[QueueKey] = set()
        with self._lock:
            for row in rows:
                key = (database, row.queue)
                found.add(key)
                _set_all(self.queue_gauges, key, row, self._shown)
                _advance(self.events, self._event_ids, key, row.events)
                if count_ticks:
                    self._ticks_by_id(key, row.last_tick)
            self._remove_queues(self._known_queues(database) - found)
            self._queues[database] = found

    def set_consumers(self, database: str, rows: list[ConsumerStats]) -> None:
        """Take over the consumer figures of one database, of no more than MAX_CONSUMERS."""
        found: set[ConsumerKey] = set()
        with self._lock:
            others = sum(len(keys) for name, keys in self._consumers.items() if name != database)
            room = max(MAX_CONSUMERS - others, 0)
            for row in rows[:room]:
                key = (database, row.queue, row.consumer)
                found.add(key)
                _set_all(self.consumer_gauges, key, row, self._shown)
            for key in self._consumers.get(database, set()) - found:
                self._hide(self.consumer_gauges, key)
            self._consumers[database] = found
        self.consumers_cut.labels(database=database).set(max(len(rows) - room, 0))

    def forget_figures(self, database: str) -> None:
        """Remove what is no longer known of a database's queues: absent, not stale.

        Counters stay: they only stand still.
        """
        with self._lock:
            for queue in self._queues.get(database, set()):
                self._hide(self.queue_gauges, queue)
            for consumer in self._consumers.pop(database, set()):
                self._hide(self.consumer_gauges, consumer)
        _remove([self.polled, self.consumers_cut], (database,))
        self.trouble.forget(database)

    def forget_database(self, database: str) -> None:
        """Remove every series of a database that is no longer served."""
        self.forget_figures(database)
        with self._lock:
            self._remove_queues(self._known_queues(database))
            self._queues.pop(database, None)
            for operation in self._operations.pop(database, set()):
                _remove([self.maint_seconds], (database, operation))
        for stage in STAGES:
            _remove([self.errors], (database, stage))
        _remove([self.tick_seconds, self.maint_success, self.retried], (database,))

    def _ticks_by_id(self, key: QueueKey, last_tick: int | None) -> None:
        known = self._last_ticks.get(key)
        if last_tick is not None:
            self._last_ticks[key] = last_tick
            if known is not None and last_tick > known:
                self.ticks.labels(*key).inc(last_tick - known)

    def _known_queues(self, database: str) -> set[QueueKey]:
        ticked = {key for key in self._ticked if key[0] == database}
        return self._queues.get(database, set()) | ticked

    def _hide(self, gauges: dict[str, Gauge], key: tuple[str, ...]) -> None:
        _remove(gauges.values(), key)
        self._shown.pop(key, None)

    def _remove_queues(self, keys: Iterable[QueueKey]) -> None:
        for key in keys:
            self._hide(self.queue_gauges, key)
            _remove([self.events, self.ticks], key)
            self._ticked.discard(key)
            self._event_ids.pop(key, None)
            self._last_ticks.pop(key, None)


def _queue_gauges(metrics: Metrics) -> dict[str, Gauge]:
    """Return field of QueueStats -> gauge."""
    prefix = "skytools_pgq_queue_"
    texts = {
        "tick_lag": ("tick_lag_seconds", "Age of the last tick."),
        "events_new": ("events_new", "Events not yet in a tick."),
        "last_tick": ("last_tick_id", "Last tick."),
        "rotation_age": ("rotation_age_seconds", "Time since the last rotation."),
        "paused": ("ticker_paused", "Whether ticking is paused."),
    }
    return {f: metrics.gauge(prefix + name, text, _QUEUE) for f, (name, text) in texts.items()}


def _consumer_gauges(metrics: Metrics) -> dict[str, Gauge]:
    """Return field of ConsumerStats -> gauge."""
    prefix = "skytools_pgq_consumer_"
    texts = {
        "lag": ("lag_seconds", "Age of the last finished tick."),
        "last_seen": ("last_seen_seconds", "Time since the last activity."),
        "pending": ("pending_events", "Events not yet processed."),
    }
    return {f: metrics.gauge(prefix + name, text, _CONSUMER) for f, (name, text) in texts.items()}


def _set_all(
    gauges: dict[str, Gauge], key: tuple[str, ...], row: object, shown: dict[tuple[str, ...], Shown]
) -> None:
    """Set the gauges of one queue or consumer from the fields of its row that have changed."""
    values = shown.setdefault(key, {})
    for name, gauge in gauges.items():
        value = getattr(row, name)
        before = values.get(name)
        if value is None:
            _remove([gauge], key)
            values.pop(name, None)
        elif before is None:
            child = gauge.labels(*key)
            child.set(value)
            values[name] = (child, value)
        elif before[1] != value:
            before[0].set(value)
            values[name] = (before[0], value)


def _advance(metric: Counter, known: dict[QueueKey, int], key: QueueKey, value: int | None) -> None:
    """Bring a counter to an absolute value; one that went back (a restore) starts anew."""
    if value is None:
        return
    before = known.get(key, 0)
    if value < before:
        _remove([metric], key)
        before = 0
    metric.labels(*key).inc(value - before)
    known[key] = value


def _remove(metrics: Iterable[Counter | Gauge | Histogram], key: tuple[str, ...]) -> None:
    for metric in metrics:
        try:
            metric.remove(*key)
        except KeyError:
            continue  # was never set
