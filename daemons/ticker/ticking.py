# SPDX-License-Identifier: ISC
"""Ticking over one session: with the functions of PgQ 4, or with those of PgQ 3."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.ticker import api
from skytools.daemons.ticker.config import TickerConfig
from skytools.daemons.ticker.metrics import TickerMetrics
from skytools.daemons.ticker.schedule import Due, Look, Schedule, State
from skytools.daemons.ticker.worker import Worker

log = logging.getLogger("skytools")


class Ticking:
    """Ticks the queues of a PgQ 4 database until the session ends. See schedule.py."""

    def __init__(
        self,
        worker: Worker,
        cfg: Callable[[], TickerConfig],
        metrics: TickerMetrics,
        ticked: Callable[[int], None],
    ) -> None:
        self.worker = worker
        self.database: Database = worker.database
        self.cfg = cfg
        self.metrics = metrics
        self.ticked = ticked
        self.schedule = Schedule(sleep_after=cfg().sleep_after, look_period=cfg().look_period)
        self._seconds = metrics.tick_seconds.labels(database=self.database.name)
        self._errors: dict[str, str] = {}
        self._woken: list[int] = []

    def run(self, began: Callable[[], None]) -> None:
        """Tick until the worker stops or the connection has reached its lifetime.

        `began` is called after the first round that went well.
        """
        self.database.listen(api.WAKEUP_CHANNEL)
        self._step()
        began()
        while not self.worker.stopping:
            self.schedule.sleep_after = self.cfg().sleep_after
            self.schedule.look_period = self.cfg().look_period
            self._step()
            self.database.check_lifetime()
            if not self.database.connected:
                return
            left = self.schedule.next_at() - time.monotonic()
            self.worker.pause(left, [self.database])
        # Nobody will listen: let producers be silent.
        api.ticker_wake(self.database, None)

    def _step(self) -> None:
        woken, self._woken = self._woken + self._take_notifies(), []
        if self.schedule.glance_due(time.monotonic()):
            woken += self._glance()
        due = self.schedule.due(time.monotonic())
        if due:
            woken += self._look(due)
        if woken:
            api.ticker_wake(self.database, woken)
        tired = self.schedule.tired(time.monotonic())
        if tired:
            refused = api.ticker_sleep(self.database, tired)
            self.schedule.slept(tired, refused, time.monotonic())
        # A statement may have read notifications from the socket: waiting for it would miss them.
        self._woken = self._take_notifies()

    def _take_notifies(self) -> list[int]:
        """Note the queues whose producers ask for a tick; anything else asks for a full round."""
        now = time.monotonic()
        woken = set()
        for notify in self.database.notifies():
            if not notify.payload.isdecimal():
                self.schedule.round_soon()
            elif self.schedule.woken(int(notify.payload), now):
                woken.add(int(notify.payload))
        return sorted(woken)

    def _glance(self) -> list[int]:
        try:
            known, stirring = api.glance(self.database)
        except SkytoolsError:
            if not self.database.connected:
                raise
            self.schedule.glance_failed(time.monotonic())
            return []
        return self.schedule.glanced(known, stirring, time.monotonic())

    def _look(self, due: Due) -> list[int]:
        started = time.monotonic()
        looks = self._round(due)
        self._seconds.observe(time.monotonic() - started)
        self._count(looks)
        # The server's waits count from the start of the statement.
        wake = self.schedule.saw(looks, due, started)
        self._tell_errors()
        return wake

    def _round(self, due: Due) -> list[Look]:
        """Ask about all queues at once; when that fails, because one is locked, one by one."""
        try:
            return api.ticker_round(self.database, due)
        except SkytoolsError as exc:
            if not self.database.connected:
                raise
            failure = exc
        names = api.tickable_ids(self.database)
        looks = []
        good = 0
        for queue_id in names if due.everything else due.ids:
            try:
                looks += api.ticker_round(self.database, Due(False, [queue_id]))
                good += 1
            except SkytoolsError as exc:
                if not self.database.connected:
                    raise
                name = names.get(queue_id, str(queue_id))
                looks.append(Look(queue_id, name, None, State.ERROR, None, str(exc)))
        if not good and due.everything:
            raise failure  # not the fault of a queue
        return looks

    def _count(self, looks: list[Look]) -> None:
        ticked = [look for look in looks if look.state == State.TICKED]
        for look in ticked:
            self.metrics.ticked(self.database.name, look.queue_name)
        for look in looks:
            if look.state == State.ERROR:
                self.metrics.error(self.database.name, "tick")
        self.ticked(len(ticked))

    def _tell_errors(self) -> None:
        """Log what changed: a queue that fails every few seconds is one line."""
        errors = self.schedule.errors()
        _log_changes(self.database.name, self._errors, errors)
        self._errors = errors


class OldTicking:
    """Ticks a PgQ 3 database by calling pgq.ticker() every ticker_period."""

    def __init__(
        self,
        worker: Worker,
        caps: api.Capabilities,
        cfg: Callable[[], TickerConfig],
        metrics: TickerMetrics,
        ticked: Callable[[int], None],
    ) -> None:
        self.worker = worker
        self.database: Database = worker.database
        self.caps = caps
        self.cfg = cfg
        self.metrics = metrics
        self.ticked = ticked
        self._seconds = metrics.tick_seconds.labels(database=self.database.name)
        self._errors: dict[str, str] = {}

    def run(self, began: Callable[[], None]) -> None:
        """Tick for check_period seconds; the caller then looks what PgQ there is now.

        `began` is called after the first round that went well.
        """
        until = time.monotonic() + self.cfg().check_period
        self.ticked(self._tick())
        began()
        while not self.worker.stopping and time.monotonic() < until:
            with self._seconds.time():
                self.ticked(self._tick())
            self.worker.pause(self.cfg().ticker_period)

    def _tick(self) -> int:
        """One bad queue makes pgq.ticker() fail for all; then they are ticked one by one."""
        try:
            count = api.tick_all(self.database)
        except SkytoolsError:
            if not self.database.connected or not self.caps.ticker_by_name:
                raise
            return self._tick_each()
        _log_changes(self.database.name, self._errors, {})
        self._errors = {}
        return count

    def _tick_each(self) -> int:
        count = 0
        errors = {}
        for queue in api.tickable_ids(self.database).values():
            try:
                count += api.tick_one(self.database, queue)
            except SkytoolsError as exc:
                if not self.database.connected:
                    raise
                errors[queue] = str(exc)
                self.metrics.error(self.database.name, "tick")
        _log_changes(self.database.name, self._errors, errors)
        self._errors = errors
        return count


def _log_changes(database: str, before: dict[str, str], after: dict[str, str]) -> None:
    for queue, error in after.items():
        if before.get(queue) != error:
            log.error("%s: queue %s cannot be ticked: %s", database, queue, error)
    for queue in before.keys() - after.keys():
        log.info("%s: queue %s ticks again", database, queue)
