# SPDX-License-Identifier: ISC
"""The copy processes of a worker: started, watched, started again with growing pauses."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO

from skytools.core import faultpoint
from skytools.core.backoff import Backoff
from skytools.core.service import Context
from skytools.core.signals import HasFileno
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy.program import OVER, PROGRESS, to_json

log = logging.getLogger("skytools")

MODULE = "skytools.daemons.londiste.copy"
TIDY = ""  # the child that has no table
STOP_SECONDS = 5.0
WAIT_SECONDS = 1.0  # that a process without a table is kept, with its connections
LABELS = ("queue", "table")


@dataclass(slots=True)
class Child:
    """One process. `line` is what it said last of its progress."""

    process: subprocess.Popen[bytes]
    started: float = 0.0
    line: str = ""
    rested: float = 0.0  # since when it has no table
    unread: bytes = b""
    loaded: tuple[int, int] = (0, 0)  # rows, bytes

    @property
    def output(self) -> IO[bytes]:
        """What it writes."""
        assert self.process.stdout is not None
        return self.process.stdout

    def say(self, line: str) -> None:
        """Send it a line. Raises OSError when it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    def hang_up(self) -> None:
        """Say that there is nothing more to do."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        """Let it end, and wait for that."""
        self.hang_up()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


@dataclass(slots=True)
class _Rest:
    """When a table's next process may be started."""

    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.5, cap=60.0))
    until: float = 0.0


class Children:
    """Processes by table."""

    def __init__(self, ctx: Context, cfg: LondisteConfig, ini: str) -> None:
        self.ctx = ctx
        self.cfg = cfg
        self.ini = ini
        self.running: dict[str, Child] = {}
        self._waiting: list[Child] = []
        self._rests: dict[str, _Rest] = {}
        metrics = ctx.metrics
        self._rows = metrics.counter(
            "skytools_londiste_copy_rows_total", "Rows that a running copy has loaded.", LABELS
        )
        self._bytes = metrics.counter(
            "skytools_londiste_copy_bytes_total", "Bytes that a running copy has moved.", LABELS
        )
        self._estimate = metrics.gauge(
            "skytools_londiste_copy_rows_estimate", "Rows of the table at the source.", LABELS
        )
        self._begin = metrics.gauge(
            "skytools_londiste_copy_start_time_seconds", "When the copy was started.", LABELS
        )
        self._failures = metrics.counter(
            "skytools_londiste_copy_failures_total", "Copy processes that have failed.", ("queue",)
        )

    def use(self, cfg: LondisteConfig) -> None:
        """Take new settings; copies under way go on with the old ones."""
        if cfg is not self.cfg:
            self.cfg = cfg
            self._dismiss()

    def may_start(self, table: str) -> bool:
        """Tell whether the copy of a table may be started now."""
        rest = self._rests.get(table)
        return table not in self.running and (rest is None or rest.until <= time.monotonic())

    def forget(self, table: str) -> None:
        """Forget that copies of a table have failed: it was added anew, or is to be resynced."""
        self._rests.pop(table, None)

    def start(self, table: str) -> None:
        """Start the copy of a table, in a process that waits for one, or a new one."""
        child = self._waiting.pop() if self._waiting else self._spawn()
        child.started, child.line, child.loaded = time.time(), "", (0, 0)
        self.running[table] = child
        with contextlib.suppress(OSError):  # it has ended, and is reaped as any other
            child.say(table)
        if table:
            self._begin.labels(self.cfg.queue_name, table).set(child.started)
        log.info("%s: copy by process %d", table or "foreign keys", child.process.pid)

    def _spawn(self) -> Child:
        """Start a process; it dies with ours."""
        level = logging.getLogger().getEffectiveLevel()
        argv = [
            *(sys.executable, "-m", MODULE, str(os.getpid()), str(level)),
            *(str(self.cfg.logfile or "-"), self.ini or "-", "copy"),
        ]
        child = Child(
            subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, **faultpoint.for_child()},
            )
        )
        os.set_blocking(child.output.fileno(), False)
        with contextlib.suppress(OSError):
            child.say(to_json(self.cfg))
        return child

    def look(self) -> dict[str, str]:
        """Hear what the processes say, reap those that have ended.

        Returns the tables that they had, and what went wrong; empty: nothing.
        """
        ended = {}
        now = time.monotonic()
        for table, child in list(self.running.items()):
            gone = child.process.poll()
            answer = self._hear(table, child)
            if answer is not None and gone is None:
                child.rested = now
                self._waiting.append(child)
                ended[table] = answer
            elif gone is not None:
                child.close()
                ended[table] = f"signal {-gone}" if gone < 0 else f"exit code {gone}"
        for table, fault in ended.items():
            self._over(table, fault)
        self._dismiss(now - WAIT_SECONDS)
        return ended

    def _hear(self, table: str, child: Child) -> str | None:
        """Read what a process says; return what it says of the end of its copy."""
        answer = None
        while data := child.output.read(1 << 16):
            *lines, child.unread = (child.unread + data).split(b"\n")
            for line in lines:
                kind, _, text = line.decode(errors="replace").partition(" ")
                if kind == PROGRESS:
                    self._progress(table, child, text)
                elif kind == OVER:
                    answer = text
        return answer

    def _progress(self, table: str, child: Child, text: str) -> None:
        told = json.loads(text)
        child.line = told["line"]
        labels = (self.cfg.queue_name, table)
        self._rows.labels(*labels).inc(max(0, told["rows"] - child.loaded[0]))
        self._bytes.labels(*labels).inc(max(0, told["bytes"] - child.loaded[1]))
        self._estimate.labels(*labels).set(told["source_rows"])
        child.loaded = (told["rows"], told["bytes"])

    def _over(self, table: str, fault: str) -> None:
        """Note that a process has left a table; `fault` is empty when all went well."""
        self.running.pop(table, None)
        rest = self._rests.setdefault(table, _Rest())
        if fault:
            delay = rest.backoff.next()
            rest.until = time.monotonic() + delay
            self._failures.labels(self.cfg.queue_name).inc()
            log.warning(
                "%s: copy ended: %s; next try in %.1f s", table or "foreign keys", fault, delay
            )
        else:
            rest.backoff.reset()
            rest.until = 0.0
        for metric in (self._rows, self._bytes, self._estimate, self._begin):
            with contextlib.suppress(KeyError):  # it said nothing
                metric.remove(self.cfg.queue_name, table)

    def _dismiss(self, before: float = math.inf) -> None:
        """Let processes end that wait since a moment before that."""
        for child in [one for one in self._waiting if one.rested < before]:
            self._waiting.remove(child)
            child.close()

    def kill(self, table: str) -> None:
        """End the copy of a table at once; the next one may be started when it is wanted."""
        child = self.running.get(table)
        if child is not None:
            child.process.kill()
            child.close()
            self._over(table, "")

    def stop(self) -> None:
        """End all processes: asked first, then killed."""
        children = [*self.running.values(), *self._waiting]
        for child in children:
            child.hang_up()  # one that waits for a table ends by this
            child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.01, deadline - time.monotonic()))
            child.process.kill()
            child.close()
        self.running.clear()
        self._waiting.clear()

    @property
    def wake(self) -> list[HasFileno]:
        """Sockets that become readable when a process has something to say, or ends."""
        return [child.output for child in self.running.values()]

    def status(self) -> str:
        """Return what is being copied, for people; empty: nothing."""
        return "; ".join(c.line or f"{t}: copy" for t, c in self.running.items() if t)
