# SPDX-License-Identifier: ISC
"""Compares all tables of a node in the background, again and again, and tells Prometheus.

A thread of the worker with connections of its own, one for each side; it changes nothing, and
what goes wrong in it is counted and logged, never raised.
"""

from __future__ import annotations

import logging
import threading
import time

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.metrics import Metrics
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.progress import Progress
from skytools.daemons.londiste.states import in_sync
from skytools.daemons.londiste.upstream import Upstream, keeps_rows
from skytools.daemons.londiste.verify.compare import compare_pair
from skytools.daemons.londiste.verify.session import Session

log = logging.getLogger("skytools")

PREFIX = "skytools_londiste_audit_"


class AuditMetrics:
    """What was verified, up to which tick."""

    def __init__(self, metrics: Metrics, queue: str) -> None:
        table = ("queue", "table")
        self._queue = queue
        self._tick = metrics.gauge(
            PREFIX + "verified_tick", "Tick at which the table was found equal last.", table
        )
        self._time = metrics.gauge(
            PREFIX + "verified_timestamp_seconds", "When it was found equal last.", table
        )
        self._differs = metrics.gauge(
            PREFIX + "differs", "Whether the table differed when it was looked at last.", table
        )
        self._rows = metrics.counter(PREFIX + "rows_total", "Rows compared.", ("queue",))
        self._failures = metrics.counter(
            PREFIX + "failures_total", "Tables that could not be compared.", ("queue",)
        )
        self._rounds = metrics.counter(
            PREFIX + "rounds_total", "Rounds over all tables.", ("queue",)
        )
        for counter in (self._rows, self._failures, self._rounds):
            counter.labels(queue)

    def compared(self, table: str, tick: int, rows: int, *, equal: bool) -> None:
        """Count a table that was read."""
        labels = (self._queue, table)
        self._rows.labels(self._queue).inc(rows)
        self._differs.labels(*labels).set(not equal)
        if equal:
            self._tick.labels(*labels).set(tick)
            self._time.labels(*labels).set(time.time())

    def failed(self) -> None:
        """Count a table that could not be read."""
        self._failures.labels(self._queue).inc()

    def finished(self) -> None:
        """Count a round."""
        self._rounds.labels(self._queue).inc()


class Audit:
    """Audits the node each `audit_period` seconds from start() to close()."""

    def __init__(self, metrics: Metrics, cfg: LondisteConfig) -> None:
        self.cfg = cfg
        self._metrics = AuditMetrics(metrics, cfg.queue_name) if cfg.audit_period else None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._session: Session | None = None

    def start(self) -> None:
        """Begin, if the ini wants it and it has not begun."""
        if self._metrics is None or self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, in the middle of a table if need be."""
        self._stop.set()
        session, thread = self._session, self._thread
        if session is not None:
            session.cancel()
        if thread is not None:
            thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(self.cfg.audit_period):
            try:
                self.round()
            except SkytoolsError as exc:
                self._failed("audit", exc)

    def round(self) -> None:
        """Compare all tables once. Raises SkytoolsError when nothing can be compared at all."""
        local = Database("db", self.cfg.db, application_name=f"{self.cfg.job_name} audit")
        try:
            with Upstream(self.cfg.queue_name, local, self.cfg.remote_extra_connstr) as above:
                if not above.is_root:
                    self._tables(local, above)
        finally:
            local.close()
        if self._metrics is not None:
            self._metrics.finished()

    def _tables(self, local: Database, above: Upstream) -> None:
        session = self._session = Session(
            self.cfg, above, progress=Progress(quiet=True), wait=self.cfg.lock_timeout, jobs=1
        )
        try:
            for table in _in_sync(local, self.cfg.queue_name):
                if self._stop.is_set():
                    return
                # A merged table has the rows of other queues too: only an own query can tell.
                if self.cfg.compare_sql or not above.merged_with(table):
                    self._table(session, table)
        finally:
            self._session = None
            session.close()

    def _table(self, session: Session, table: TableInfo) -> None:
        try:
            found = compare_pair(session, session.pair(table), count_only=False)
        except SkytoolsError as exc:
            self._failed(table.name, exc)
            return
        if self._metrics is not None:
            self._metrics.compared(table.name, found.tick, found.rows, equal=found.equal)
        if not found.equal:
            log.error(
                "audit: %s differs from its source at tick %d: %s, here %s; see londiste repair",
                table.name, found.tick, found.src, found.dst,
            )  # fmt: skip

    def _failed(self, what: str, exc: SkytoolsError) -> None:
        if self._stop.is_set():
            return
        if self._metrics is not None:
            self._metrics.failed()
        log.warning("audit: %s: %s", what, exc)


def _in_sync(local: Database, queue: str) -> list[TableInfo]:
    found = api.tables(local, queue)
    local.rollback()
    return [one for one in found if one.local and keeps_rows(one) and in_sync(one.state)]
