# SPDX-License-Identifier: ISC
"""One database: its three threads and what is told of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.daemons.ticker import api
from skytools.daemons.ticker.config import TickerConfig
from skytools.daemons.ticker.maintenance import run_maintenance
from skytools.daemons.ticker.metrics import TickerMetrics
from skytools.daemons.ticker.schedule import aligned
from skytools.daemons.ticker.ticking import OldTicking, Ticking
from skytools.daemons.ticker.worker import Worker

log = logging.getLogger("skytools")

# A queue whose objects somebody holds must not keep the others from being ticked for long.
TICK_LOCK_TIMEOUT = 0.2
MAINT_LOCK_TIMEOUT = 10.0
# How often the second ticker of a database asks whether the first is gone.
LOCK_POLL = 2.0
# A standby may be promoted any time.
STANDBY_POLL = 5.0

State = Literal["starting", "ticking", "waiting", "ignored", "failed"]


@dataclass(frozen=True, slots=True)
class Report:
    """How a database is served; `next_try` is a monotonic time, for state failed."""

    state: State
    text: str = ""
    next_try: float = 0.0


@dataclass(slots=True)
class Counts:
    """Work done since the start; each number is written by one thread only."""

    ticks: int = 0
    maint: int = 0
    retry: int = 0

    def add_ticks(self, number: int) -> None:
        """Count ticks made."""
        self.ticks += number

    def numbers(self) -> tuple[int, int, int]:
        """Return ticks, maint, retry."""
        return self.ticks, self.maint, self.retry


class DatabaseTicker:
    """Serves one database until stopped.

    The ticking thread finds out what the database can do; maintenance and upkeep (retry events,
    figures for metrics) work only while it ticks. Each thread has a connection of its own, so
    that neither a vacuum nor a lock that maintenance waits for delays a tick.
    """

    def __init__(
        self,
        name: str,
        conninfo: str,
        *,
        ctx: Context,
        cfg: TickerConfig,
        metrics: TickerMetrics,
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.conninfo = conninfo
        self.ctx = ctx
        self.cfg = cfg
        self.metrics = metrics
        self.counts = Counts()
        self.report = Report("starting")
        self._changed = changed
        self._caps: api.Capabilities | None = None
        self._next_maint = self._next_retry = self._next_stats = 0.0
        self._other_errors: dict[str, str] = {}
        self._makers = {
            "tick": self._make_ticker,
            "maint": self._make_maintenance,
            "upkeep": self._make_upkeep,
        }
        self._workers: dict[str, Worker] = {}

    # life

    def start(self) -> None:
        """Start ticking; the other threads follow once there is something to tick."""
        self._start("tick")

    def stop(self) -> None:
        """Ask all threads to end; join() waits for it."""
        for worker in self._workers.values():
            worker.stop()

    def join(self, deadline: float) -> bool:
        """Wait until a monotonic time for the threads; then cancel what they run.

        False: a thread hangs in a call that cannot be cancelled. It dies with the process.
        """
        workers = list(self._workers.values())
        for worker in workers:
            worker.join(max(deadline - time.monotonic(), 0.0))
        for worker in workers:
            if worker.is_alive():
                worker.database.cancel()
        for worker in workers:
            worker.join(0.5)
        return not any(worker.is_alive() for worker in workers)

    @property
    def ended(self) -> bool:
        """Whether every thread has ended."""
        return not any(worker.is_alive() for worker in self._workers.values())

    def configure(self, cfg: TickerConfig) -> None:
        """Take over new periods; they count from the next wait."""
        self.cfg = cfg
        for worker in self._workers.values():
            worker.database.lifetime = cfg.connection_lifetime
            worker.wake()

    def revive(self) -> list[str]:
        """Start threads again that died of a bug; returns their names."""
        dead = [kind for kind, worker in self._workers.items() if not worker.is_alive()]
        if "tick" in dead:
            self._tell("failed", "unexpected error, see the log", time.monotonic())
        for kind in dead:
            self._start(kind)
        return dead

    def wake_up(self) -> None:
        """Try again now what waits for its next try: another database's server came back."""
        if self.report.state == "failed":
            for worker in self._workers.values():
                worker.wake()

    def _start(self, kind: str) -> None:
        worker = self._workers[kind] = self._makers[kind]()
        worker.start()

    def _database(self, lock_timeout: float) -> Database:
        database = self.ctx.new_database(
            "base_connstr", self.conninfo, autocommit=True, lifetime=self.cfg.connection_lifetime
        )
        database.name = self.name  # for error texts; metrics are labelled by the config key
        database.on_connect(api.session_settings(lock_timeout))
        return database

    def _tell(self, state: State, text: str = "", next_try: float = 0.0) -> None:
        before, self.report = self.report, Report(state, text, next_try)
        if (before.state, before.text) != (state, text):
            self._changed()

    # ticking

    def _make_ticker(self) -> Worker:
        return Worker(
            f"{self.name} tick",
            self._database(TICK_LOCK_TIMEOUT),
            self._tick_session,
            self._tick_failed,
        )

    def _tick_session(self, worker: Worker) -> None:
        caps = api.capabilities(worker.database)
        if caps.standby or not caps.ticker:
            self._ignore(worker, "standby server" if caps.standby else "no pgq")
            return
        if caps.rounds and not api.ticker_lock(worker.database):
            self._wait_for_lock(worker)
            return
        ticking = self._ticking(worker, caps)
        ticking.run(lambda: self._begun(worker, caps))

    def _ticking(self, worker: Worker, caps: api.Capabilities) -> Ticking | OldTicking:
        if caps.rounds:
            return Ticking(worker, lambda: self.cfg, self.metrics, self.counts.add_ticks)
        return OldTicking(worker, caps, lambda: self.cfg, self.metrics, self.counts.add_ticks)

    def _begun(self, worker: Worker, caps: api.Capabilities) -> None:
        version = api.version(worker.database) if caps.version else None
        if self.report.state != "ticking" or caps != self._caps:
            log.info("%s: pgq version ok: %s", self.name, version or "installed by script")
        self._caps = caps
        worker.reconnect.reset()
        self._tell("ticking")
        for kind in ("maint", "upkeep"):
            if kind in self._workers:
                self._workers[kind].wake()
            else:
                self._start(kind)

    def _ignore(self, worker: Worker, why: str) -> None:
        worker.database.close()
        worker.reconnect.reset()
        self._pause_others()
        if (self.report.state, self.report.text) != ("ignored", why):
            log.info("%s: %s, ignored", self.name, why)
        self._tell("ignored", why)
        period = self.cfg.check_period
        worker.pause(min(period, STANDBY_POLL) if why == "standby server" else period)

    def _wait_for_lock(self, worker: Worker) -> None:
        worker.reconnect.reset()
        self._pause_others()
        if self.report.state != "waiting":
            log.info("%s: another ticker serves it, waiting for its end", self.name)
        self._tell("waiting", "another ticker serves it")
        worker.pause(LOCK_POLL)

    def _pause_others(self) -> None:
        self._caps = None
        self.metrics.forget_figures(self.name)

    def _tick_failed(self, exc: SkytoolsError, delay: float, lost: bool) -> None:
        self.metrics.error(self.name, "connect" if lost else "tick")
        text = str(exc)
        level = logging.DEBUG if text == self.report.text else logging.ERROR
        log.log(level, "%s; next try in %.1f s", text, delay)
        self._tell("failed", text, time.monotonic() + delay)

    # maintenance

    def _make_maintenance(self) -> Worker:
        return Worker(
            f"{self.name} maint",
            self._database(MAINT_LOCK_TIMEOUT),
            self._maint_session,
            lambda exc, delay, lost: self._other_failed("maint", exc, delay, lost),
        )

    def _maint_session(self, worker: Worker) -> None:
        """Connect, work, disconnect: there is little to do, and seldom."""
        caps, now = self._caps, time.monotonic()
        if caps is None or now < self._next_maint:
            worker.pause(self._next_maint - now if caps else self.cfg.check_period)
            return
        self.counts.maint += run_maintenance(
            worker.database, caps, self.metrics, lambda: worker.stopping
        )
        worker.database.close()
        self._other_works(worker, "maint")
        self._next_maint = time.monotonic() + self.cfg.maint_period

    # upkeep: retry events and figures

    def _make_upkeep(self) -> Worker:
        return Worker(
            f"{self.name} upkeep",
            self._database(MAINT_LOCK_TIMEOUT),
            self._upkeep_session,
            lambda exc, delay, lost: self._other_failed("stats", exc, delay, lost),
        )

    def _upkeep_session(self, worker: Worker) -> None:
        caps, now = self._caps, time.monotonic()
        if caps is None:
            worker.database.close()
            worker.pause(self.cfg.check_period)
            return
        if now >= self._next_retry:
            self._retry(worker, caps)
            self._next_retry = aligned(time.monotonic(), self.cfg.retry_period)
        if now >= self._next_stats:
            self._read_figures(worker.database, caps)
            self._next_stats = aligned(now, self.cfg.stats_period)
        self._other_works(worker, "stats")
        worker.database.check_lifetime()
        worker.pause(min(self._next_retry, self._next_stats) - time.monotonic())

    def _retry(self, worker: Worker, caps: api.Capabilities) -> None:
        if not caps.retry:
            return
        try:
            while (moved := api.retry_events(worker.database)) and not worker.stopping:
                self.counts.retry += moved
                self.metrics.retried.labels(database=self.name).inc(moved)
        except SkytoolsError as exc:
            if not worker.database.connected:
                raise
            self.metrics.error(self.name, "retry")
            log.error("%s; while putting retry events back", exc)

    def _read_figures(self, database: Database, caps: api.Capabilities) -> None:
        queues = api.queue_stats(database)
        self.metrics.set_queues(self.name, queues, count_ticks=not caps.rounds)
        self.metrics.set_consumers(self.name, api.consumer_stats(database))
        if caps.rounds:
            self.metrics.trouble.set_blockers(self.name, api.blockers(database))
            self.metrics.trouble.set_gone(self.name, api.gone_consumers(database))
        self.metrics.polled.labels(database=self.name).set(time.time())

    def _other_works(self, worker: Worker, stage: str) -> None:
        worker.reconnect.reset()
        if self._other_errors.pop(stage, None):
            log.info("%s: %s works again", self.name, stage)

    def _other_failed(self, stage: str, exc: SkytoolsError, delay: float, lost: bool) -> None:
        """Count, and log what is new; that the server is away is the ticking thread's to tell."""
        self.metrics.error(self.name, "connect" if lost else stage)
        if stage == "stats":
            self._next_stats = 0.0
            self.metrics.forget_figures(self.name)
        text = str(exc)
        known = text == self._other_errors.get(stage) or (lost and self.report.state == "failed")
        self._other_errors[stage] = text
        level = logging.DEBUG if known else logging.ERROR
        log.log(level, "%s; %s, next try in %.1f s", exc, stage, delay)
