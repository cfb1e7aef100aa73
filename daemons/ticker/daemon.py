# SPDX-License-Identifier: ISC
"""The main thread of pgqd: starts and stops the databases' threads and tells how they are."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Collection

from skytools.core.service import Context, Daemon, Pause
from skytools.daemons.ticker.config import TickerConfig
from skytools.daemons.ticker.database import DatabaseTicker
from skytools.daemons.ticker.discovery import Discovery, conninfo
from skytools.daemons.ticker.metrics import TickerMetrics
from skytools.daemons.ticker.status import status_line

log = logging.getLogger("skytools")

# READY waits that long for the first answer of every database.
FIRST_ANSWERS = 5.0
STOP_TIMEOUT = 3.0
# A thread that died of a bug is started again, not more often than this.
REVIVE_PERIOD = 5.0


class TickerDaemon(Daemon[TickerConfig]):
    """pgqd. Its step never fails: what goes wrong belongs to one database and its thread."""

    Config = TickerConfig
    service_name = "pgqd"
    description = "PgQ ticker: ticks, rotates and retries the queues of many databases."

    def __init__(self, ctx: Context, cfg: TickerConfig) -> None:
        super().__init__(ctx, cfg)
        self.metrics = TickerMetrics(ctx.metrics)
        self.databases: dict[str, DatabaseTicker] = {}
        self.discovery: Discovery | None = None
        self._retired: list[DatabaseTicker] = []
        self._ticking: frozenset[str] = frozenset()
        self._told = (0, 0, 0)
        self._before = (0, 0, 0)  # work of databases that are no longer served
        now = ctx.clock.monotonic()
        self._ready_by = now + FIRST_ANSWERS
        self._next_stats = now + cfg.stats_period
        self._next_revive = now + REVIVE_PERIOD
        threading.excepthook = _log_thread_death

    def step(self) -> Pause:
        """Adjust the set of databases, report, sleep until something changes."""
        self._reconcile()
        while not self.ctx.is_ready and not self._all_answered() and not self.ctx.stopping:
            self.ctx.wait(max(self._ready_by - self.ctx.clock.monotonic(), 0.0))
            self._reconcile()
        self._report()
        now = self.ctx.clock.monotonic()
        if now >= self._next_revive:
            self._next_revive = now + REVIVE_PERIOD
            self._revive()
        if now >= self._next_stats:
            self._next_stats = now + self.cfg.stats_period
            self._log_stats()
        return Pause(max(min(self._next_stats, self._next_revive) - now, 0.01))

    def reload(self, cfg: TickerConfig) -> None:
        """Take over lists, connect strings and periods; only what changed is restarted."""
        self._next_stats = min(self._next_stats, self.ctx.clock.monotonic() + cfg.stats_period)
        old, self.cfg = self.cfg, cfg
        same_server = (old.base_connstr, old.initial_database) == (
            cfg.base_connstr,
            cfg.initial_database,
        )
        if self.discovery is not None and (cfg.database_list or not same_server):
            self.discovery.worker.stop()
            self.discovery = None
        elif self.discovery is not None:
            self.discovery.cfg = cfg
            self.discovery.worker.wake()
        for database in self.databases.values():
            database.configure(cfg)
        self._reconcile()

    def close(self) -> None:
        """Stop all threads; one that hangs is left to die with the process."""
        if self.discovery is not None:
            self.discovery.worker.stop()
        databases = [*self.databases.values(), *self._retired]
        for database in databases:
            database.stop()
        deadline = time.monotonic() + STOP_TIMEOUT
        for database in databases:
            if not database.join(deadline):
                log.warning("%s: a call hangs, its connection is dropped", database.name)

    # the set of databases

    def _wanted(self) -> Collection[str] | None:
        """Return the databases to serve, None while nobody knows."""
        if self.cfg.database_list:
            return self.cfg.database_list
        if self.discovery is None:
            log.info("auto-detecting dbs")
            self.discovery = Discovery(self.ctx, self.cfg, self.ctx.signals.wake)
        return self.discovery.found

    def _reconcile(self) -> None:
        wanted = self._wanted()
        if wanted is None:
            return
        for name, database in list(self.databases.items()):
            if name not in wanted or database.conninfo != conninfo(self.cfg, name):
                self._remove(name, database, gone=name not in wanted)
        for name in wanted:
            if name not in self.databases:
                self.databases[name] = DatabaseTicker(
                    name,
                    conninfo(self.cfg, name),
                    ctx=self.ctx,
                    cfg=self.cfg,
                    metrics=self.metrics,
                    changed=self.ctx.signals.wake,
                )
                self.databases[name].start()
        self._bury()

    def _remove(self, name: str, database: DatabaseTicker, *, gone: bool) -> None:
        if gone:
            log.info("Unregister database: %s", name)
        del self.databases[name]
        database.stop()
        self._retired.append(database)

    def _bury(self) -> None:
        """Forget removed databases once their threads have ended."""
        for database in list(self._retired):
            if database.ended:
                self._retired.remove(database)
                self._before = _add(self._before, database.counts.numbers())
                if database.name not in self.databases:
                    self.metrics.forget_database(database.name)

    def _revive(self) -> None:
        self._bury()
        for database in self.databases.values():
            for kind in database.revive():
                log.error("%s: thread %s had died, started again", database.name, kind)

    # telling

    def _all_answered(self) -> bool:
        if self.ctx.clock.monotonic() >= self._ready_by:
            return True
        if not self.databases:
            found = self.discovery is None or self.discovery.found is not None
            return found or bool(self.discovery and self.discovery.error)
        return all(d.report.state != "starting" for d in self.databases.values())

    def _report(self) -> None:
        reports = {name: database.report for name, database in self.databases.items()}
        self.metrics.count_databases(Counter(report.state for report in reports.values()))
        error = self.discovery.error if self.discovery is not None else ""
        self.ctx.notify.status(status_line(reports, error, time.monotonic()))
        ticking = frozenset(n for n, report in reports.items() if report.state == "ticking")
        if ticking - self._ticking:
            # One database of a server came back: the others need not wait for their next try.
            for database in self.databases.values():
                database.wake_up()
        self._ticking = ticking

    def _log_stats(self) -> None:
        total = self._before
        for database in [*self.databases.values(), *self._retired]:
            total = _add(total, database.counts.numbers())
        ticks, maint, retry = (new - old for new, old in zip(total, self._told, strict=True))
        self._told = total
        log.info("{ticks: %d, maint: %d, retry: %d}", ticks, maint, retry)


def _add(one: tuple[int, int, int], two: tuple[int, int, int]) -> tuple[int, int, int]:
    return one[0] + two[0], one[1] + two[1], one[2] + two[2]


def _log_thread_death(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        log.critical(
            "unexpected error in thread %s",
            args.thread.name if args.thread else "?",
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )
