# SPDX-License-Identifier: ISC
"""What the worker of a node tells Prometheus, beside what every consumer does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from skytools.core.metrics import Metrics
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.states import Stage, State
from skytools.pgq.node import NodeState

PREFIX = "skytools_londiste_"
OPERATIONS = {"I": "insert", "U": "update", "D": "delete", "R": "truncate", "E": "execute"}
STAGES = {one: one.name.lower() for one in Stage}


class WorkerMetrics:
    """The series of one worker."""

    def __init__(self, metrics: Metrics, queue: str) -> None:
        self._queue = queue
        self._node = metrics.gauge(
            PREFIX + "node_info", "What the node is; 1.",
            ("queue", "node", "node_type", "provider_node"),
        )  # fmt: skip
        self._tables = metrics.gauge(
            PREFIX + "tables", "Tables of this node by state of their copy.",
            ("queue", "sync_state"),
        )  # fmt: skip
        self._lag = metrics.gauge(
            PREFIX + "apply_lag_seconds", "Age of the last tick applied.", ("queue",)
        )
        self._pending = metrics.gauge(
            PREFIX + "apply_pending_events", "Events that wait at the provider.", ("queue",)
        )
        self._applied = metrics.counter(
            PREFIX + "apply_events_total", "Changes applied.", ("queue", "operation")
        )
        self._missed = metrics.counter(
            PREFIX + "apply_missing_rows_total", "UPDATE and DELETE that found no row.",
            ("queue", "operation"),
        )  # fmt: skip
        self._by_row = metrics.counter(
            PREFIX + "apply_by_row_total", "Slices of a table that had to be written row by row.",
            ("queue",),
        )  # fmt: skip
        self._paused = metrics.gauge(PREFIX + "paused", "Whether the node is paused.", ("queue",))
        self._labels: tuple[str, ...] = ()
        for operation in OPERATIONS.values():
            self._applied.labels(queue, operation)
        for operation in ("update", "delete"):
            self._missed.labels(queue, operation)
        for stage in STAGES.values():
            self._tables.labels(queue, stage).set(0)
        self._by_row.labels(queue)
        self._lag.labels(queue)
        self._pending.labels(queue)

    def node(self, state: NodeState) -> None:
        """Tell what the node is now."""
        labels = (self._queue, state.node_name, str(state.node_type), state.provider_node)
        if labels != self._labels:
            if self._labels:
                self._node.remove(*self._labels)
            self._labels = labels
            self._node.labels(*labels).set(1)
        self._paused.labels(self._queue).set(state.paused)

    def tables(self, tables: Iterable[TableInfo]) -> None:
        """Tell how far the copies of the local tables are."""
        counts = Counter(State.parse(one.state).stage for one in tables if one.local)
        for stage, name in STAGES.items():
            self._tables.labels(self._queue, name).set(counts[stage])

    def position(self, lag: float, pending: int | None = None) -> None:
        """Tell how far behind the node is."""
        self._lag.labels(self._queue).set(max(0.0, lag))
        if pending is not None:
            self._pending.labels(self._queue).set(pending)

    def applied(self, counts: Counter[str]) -> None:
        """Count changes by their letter."""
        for letter, count in counts.items():
            self._applied.labels(self._queue, OPERATIONS[letter]).inc(count)

    def missed(self, counts: Counter[str], by_row: int) -> None:
        """Count changes that found no row, and slices that were written by rows."""
        for letter, count in counts.items():
            self._missed.labels(self._queue, OPERATIONS[letter]).inc(count)
        self._by_row.labels(self._queue).inc(by_row)
