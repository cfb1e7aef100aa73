# SPDX-License-Identifier: ISC
"""The one service loop. A daemon is a config class and `step()`; all else is here."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

from skytools.core.backoff import Backoff
from skytools.core.clock import Clock
from skytools.core.config import ConfigT, DaemonConfig
from skytools.core.db import Database
from skytools.core.errors import FatalStateError, SkytoolsError, TransientError, UsageError
from skytools.core.metrics import Metrics
from skytools.core.notify import Notifier
from skytools.core.signals import HasFileno, Signals

__all__ = ["Context", "Daemon", "DaemonConfig", "Pause", "Service"]

log = logging.getLogger("skytools")


@dataclass(frozen=True, slots=True)
class Pause:
    """What to do after a step: wait `seconds` at most, less when a socket becomes readable."""

    seconds: float
    wake: Sequence[HasFileno] = ()


AGAIN = Pause(0.0)


@dataclass(slots=True)
class Context:
    """What the loop lends to a daemon; passed in, so there are no globals."""

    job_name: str
    args: Sequence[str] = ()
    metrics: Metrics = field(default_factory=Metrics)
    notify: Notifier = field(default_factory=Notifier)
    signals: Signals = field(default_factory=Signals)
    clock: Clock = field(default_factory=Clock)
    databases: dict[str, Database] = field(default_factory=dict)
    log: logging.Logger = log
    is_ready: bool = False
    _connects: Any = None
    _errors: Any = None

    def __post_init__(self) -> None:
        labels = ("connection",)
        self._connects = self.metrics.counter(
            "skytools_db_connects_total", "Connections opened.", labels
        )
        self._errors = self.metrics.counter(
            "skytools_db_errors_total", "Failed statements and connection attempts.", labels
        )

    @property
    def stopping(self) -> bool:
        """Whether the process was asked to end; long steps should look."""
        return self.signals.stop

    def database(
        self, name: str, conninfo: str, *, autocommit: bool = False, lifetime: float = 3600.0
    ) -> Database:
        """Return the connection of that name, the same one for the same connect string.

        `name` is the config key it comes from; it labels metrics and error texts. The loop
        rolls back and closes these connections when a step fails.
        """
        known = self.databases.get(name)
        if known is not None and (known.conninfo, known.autocommit) == (conninfo, autocommit):
            return known
        if known is not None:
            known.close()
        database = self.new_database(name, conninfo, autocommit=autocommit, lifetime=lifetime)
        self.databases[name] = database
        return database

    def new_database(
        self, name: str, conninfo: str, *, autocommit: bool = False, lifetime: float = 3600.0
    ) -> Database:
        """Make a counted connection that the daemon looks after itself."""
        connects = self._connects.labels(connection=name)
        errors = self._errors.labels(connection=name)
        return Database(
            name,
            conninfo,
            autocommit=autocommit,
            lifetime=lifetime,
            application_name=self.job_name,
            on_connect=connects.inc,
            on_error=errors.inc,
        )

    def ready(self) -> None:
        """Tell the manager that the daemon works; the loop does it after the first good step."""
        if not self.is_ready:
            self.is_ready = True
            self.notify.ready()

    def wait(self, seconds: float, wake: Sequence[HasFileno] = ()) -> None:
        """Wait inside a step; a stop, a reload or a readable socket ends it."""
        self.signals.wait(seconds, wake)

    def close_databases(self) -> None:
        """Drop every cached connection."""
        for database in self.databases.values():
            database.close()


class Daemon(Generic[ConfigT]):
    """What a program implements.

    `service_name` is the section of its ini; empty: the only section of the file.
    """

    Config: ClassVar[type[DaemonConfig]] = DaemonConfig
    service_name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    # s to wait after a first error; twice as long after each one more.
    first_rest: ClassVar[float] = 1.0

    def __init__(self, ctx: Context, cfg: ConfigT) -> None:
        self.ctx = ctx
        self.cfg = cfg

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Declare switches of its own.

        One that acts instead of running stores a constant in `command`; see command().
        """

    def command(self, opts: argparse.Namespace) -> None:
        """Do what `opts.command` says and return: no pidfile, no loop. May raise SkytoolsError."""
        raise AssertionError(f"{type(self).__name__} must define command()")

    def step(self) -> Pause:
        """Do one round of work and say how long to wait. Commits its own work.

        TransientError and DatabaseError are retried with back-off, FatalStateError ends the
        process with exit code 3.
        """
        raise AssertionError(f"{type(self).__name__} must define step()")

    def reload(self, cfg: ConfigT) -> None:
        """Take over a new, valid configuration (HUP). Raising keeps the old one."""
        self.cfg = cfg

    def wake_early(self) -> Sequence[HasFileno]:
        """Return sockets that end the wait after a failed step early. Must not raise."""
        return ()

    def close(self) -> None:
        """Let go of what is held, at the end."""


class Service(Generic[ConfigT]):
    """Runs a daemon: signals, readiness, watchdog, reload, error policy."""

    def __init__(
        self,
        daemon: Daemon[ConfigT],
        ctx: Context,
        load: Callable[[], ConfigT],
        backoff: Backoff | None = None,
    ) -> None:
        self.daemon = daemon
        self.ctx = ctx
        self._load = load
        self._backoff = backoff or Backoff(first=daemon.first_rest)
        self._step_failures = ctx.metrics.counter(
            "skytools_step_failures_total", "Rounds of work that failed and are retried."
        )
        self._reload_ok = ctx.metrics.gauge(
            "skytools_reload_successful", "Whether the last reload of the ini was good."
        )
        self._reload_ok.set(1)

    def run(self) -> int:
        """Work until a signal asks to stop; returns the exit code."""
        ctx = self.ctx
        try:
            while not ctx.stopping:
                if ctx.signals.take_reload():
                    self._reload()
                pause = self._step()
                self._wait(pause)
        except FatalStateError as exc:
            log.critical("%s", exc)
            ctx.notify.status(f"stopped: {exc}")
            return exc.exit_code
        finally:
            ctx.notify.stopping()
            self.daemon.close()
            ctx.close_databases()
        log.info("stopped")
        return 0

    def _step(self) -> Pause:
        try:
            pause = self.daemon.step()
        except FatalStateError:
            raise
        except SkytoolsError as exc:
            return self._failed(exc)
        except Exception as exc:
            log.exception("unexpected error in a round of work")
            return self._failed(exc)
        if self._backoff.failures:
            self._backoff.reset()
            log.info("working again")
            self.ctx.notify.status("")
        self.ctx.ready()
        self.ctx.notify.watchdog()
        return pause

    def _failed(self, exc: Exception) -> Pause:
        """Roll back, drop connections that may be broken, wait."""
        self._step_failures.inc()
        for database in self.ctx.databases.values():
            database.rollback()
            if not isinstance(exc, SkytoolsError) or isinstance(exc, TransientError):
                database.close()
        delay = self._backoff.next()
        text = str(exc) or type(exc).__name__
        if isinstance(exc, SkytoolsError):
            log.error("%s; next try in %.1f s", text, delay)
        self.ctx.notify.status(text)
        self.ctx.notify.watchdog()
        return Pause(delay, wake=self.daemon.wake_early())

    def _wait(self, pause: Pause) -> None:
        """Wait in slices no longer than the watchdog allows; waiting is not hanging."""
        clock, interval = self.ctx.clock, self.ctx.notify.watchdog_interval
        end = clock.monotonic() + pause.seconds
        while interval is not None and (left := end - clock.monotonic()) > interval:
            self.ctx.wait(interval, pause.wake)
            self.ctx.notify.watchdog()
            if clock.monotonic() < end - left + interval:
                return  # something ended the wait early
        self.ctx.wait(end - clock.monotonic(), pause.wake)

    def _reload(self) -> None:
        self.ctx.notify.reloading()
        try:
            self.daemon.reload(self._load())
        except UsageError as exc:
            self._reload_ok.set(0)
            for line in str(exc).splitlines():
                log.error("reload refused, the old configuration stays: %s", line)
        else:
            self._reload_ok.set(1)
            log.info("configuration reloaded")
        finally:
            if self.ctx.is_ready:
                self.ctx.notify.ready()


def inherited_socket() -> str:
    """Return the metrics socket the manager wants, taken out of the environment."""
    return os.environ.pop("SKYTOOLS_METRICS_SOCKET", "")
