# SPDX-License-Identifier: ISC
"""What an old script gets from our core while it runs: signals, readiness, metrics."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from skytools.core import metrics as core_metrics
from skytools.core.backoff import Backoff
from skytools.core.clock import Clock
from skytools.core.errors import UsageError
from skytools.core.metrics import Metrics
from skytools.core.notify import Notifier
from skytools.core.service import inherited_socket
from skytools.core.signals import HasFileno, Signals

Hook = Callable[[int, FrameType | None], None]


class Runtime:
    """The process of one running script."""

    def __init__(self, metrics_socket: str, exception_sleep: float) -> None:
        self.clock = Clock()
        self.signals = Signals()
        self.notify = Notifier()
        self.metrics = Metrics()
        self.ready = False
        # The pause grows to what used to be the constant pause.
        self.backoff = Backoff(first=min(1.0, exception_sleep), cap=exception_sleep)
        self._failures = self.metrics.counter(
            "skytools_step_failures_total", "Rounds of work that failed and are retried."
        )
        self._sums = self.metrics.counter(
            "skytools_script_stat_total", "Sums of stat_increase() of a script.", ("key",)
        )
        self._values = self.metrics.gauge(
            "skytools_script_value", "Last values of stat_put() of a script.", ("key",)
        )
        path = inherited_socket() or metrics_socket
        if path:
            try:
                core_metrics.serve_metrics(self.metrics, Path(path))
            except OSError as exc:
                raise UsageError(f"metrics socket {path}: {exc.strerror or exc}") from exc

    def install(self, stop: Hook, reload: Hook) -> None:
        """Take over the signals. The hooks run in the main thread, between two instructions."""
        faulthandler.enable()
        self.signals.install()
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, reload)

    def worked(self) -> None:
        """Tell the manager that a round of work was good."""
        if self.backoff.failures:
            self.backoff.reset()
            self.notify.status("")
        if not self.ready:
            self.ready = True
            self.notify.ready()
        self.notify.watchdog()

    def failed(self, text: str) -> None:
        """Tell the manager what went wrong."""
        self._failures.inc()
        self.notify.status(text)
        self.notify.watchdog()

    def count(self, put: Mapping[str, float], increased: Mapping[str, float]) -> None:
        """Export what a script counted in a round."""
        for key, value in put.items():
            self._values.labels(key).set(value)
        for key, value in increased.items():
            if value >= 0:
                self._sums.labels(key).inc(value)

    def wait(self, seconds: float, wake: Sequence[HasFileno] = ()) -> None:
        """Wait; a signal or a readable socket ends it. Waiting is not hanging."""
        end = self.clock.monotonic() + seconds
        interval = self.notify.watchdog_interval
        while interval is not None and (left := end - self.clock.monotonic()) > interval:
            self.signals.wait(interval, wake)
            self.notify.watchdog()
            if self.clock.monotonic() < end - left + interval:
                return
        self.signals.wait(end - self.clock.monotonic(), wake)

    def close(self) -> None:
        """Say that the process ends on purpose."""
        self.notify.stopping()


def number(value: Any) -> float | None:
    """Return what a metric can show of a stat, None for text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
