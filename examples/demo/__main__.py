# SPDX-License-Identifier: ISC
"""`make demo`: set up, run the load under a live view, compare ledger and source, say the verdict.

Exit code 0 only when nothing was lost, doubled or altered; 1 when something was; 130 when
interrupted before there was anything to compare.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from examples.demo import setup, stack
from examples.demo.figures import Figures, Probe
from examples.demo.jobs import JobStatus
from examples.demo.replica import ReplicaShow
from examples.demo.report import Shown, report, shorten
from examples.demo.standby import NEEDS_SECONDS, StandbyShow
from examples.demo.verify import final_check
from examples.demo.view import BOLD, DIM, View
from skytools.core.cli import guard
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, TransientError

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
DRAIN_SECONDS = 180.0
SHOW_SECONDS = 240.0
TEND_SECONDS = 0.25


class Stop:
    """Turns the first Ctrl-C under load into a clean end; any other interrupts."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.gentle = False

    def install(self) -> None:
        """Take over the signals."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self.gentle or self.event.is_set():
            raise KeyboardInterrupt
        self.event.set()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore signals while processes are ended; that is bounded in time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class Demo:
    """One run, from the empty state folder to the verdict."""

    def __init__(self, settings: setup.Settings, state: Path, view: View, stop: Stop) -> None:
        self.settings = settings
        self.view = view
        self.stop = stop
        self.stack = stack.Stack(settings, state)
        self.standby = StandbyShow(state, self.stack.environment)
        servers = (self.stack.source, self.stack.target)
        self.replica = ReplicaShow(state, servers, self.stack.environment)
        self.status = JobStatus(state / "run" / "control.sock")
        self.source: Database = setup.open_source(self.stack.source)
        self.target: Database = setup.open_target(self.stack.target)

    def run(self) -> int:
        """Do it all; returns the exit code."""
        try:
            self._set_up()
            self._watch()
            return self._judge()
        finally:
            # In reverse order, each also when another fails: the terminal may be gone.
            with undisturbed(), contextlib.ExitStack() as last:
                last.callback(self.view.hide_cursor, False)
                last.callback(self.stack.close)
                last.callback(self.target.close)
                last.callback(self.source.close)
                last.callback(self.standby.close)
                last.callback(self.replica.close)

    def _set_up(self) -> None:
        steps: list[tuple[str, Callable[[], None]]] = [
            ("two private PostgreSQL servers", self.stack.start_servers),
            ("TPC-B tables, queue and triggers; the ledger", self.stack.fill),
            ("scriptmgr with ticker and consumer", self._start_manager),
            (f"a load of {self.settings.rate:g} events/s", self.stack.start_load),
        ]
        for number, (what, action) in enumerate(steps, 1):
            self.view.say(f"  [{number}/{len(steps)}] {what} ... ", end="")
            began = time.monotonic()
            action()
            self.view.say(self.view.paint(f"{time.monotonic() - began:.1f} s", DIM))
        self.view.say()

    def _start_manager(self) -> None:
        self.stack.start_manager()
        deadline = time.monotonic() + READY_SECONDS
        while not (jobs := self.status.read()) or not all(job.get("ready") for job in jobs):
            self.stack.tend()
            if time.monotonic() > deadline:
                told = "; ".join(
                    f"{job['job_name']} {job['state']}: {job['status_text']}" for job in jobs
                )
                raise TransientError(
                    f"jobs not ready after {READY_SECONDS:.0f} s: {told or 'none'}"
                )
            time.sleep(0.05)

    def _watch(self) -> None:
        probe = Probe(self.source, self.target)
        probe.begin()
        if self.settings.seconds is None or self.settings.seconds >= NEEDS_SECONDS:
            self.replica.start()
            self.standby.start()
        self.stop.gentle = True
        self.view.hide_cursor(True)
        end = probe.started + self.settings.seconds if self.settings.seconds else math.inf
        next_show = probe.started + self.view.interval
        while (now := time.monotonic()) < end:
            if self.stop.event.wait(min(TEND_SECONDS, end - now)):
                break
            self.stack.tend()
            if time.monotonic() < next_show:
                continue
            try:
                figures = probe.take(self.status.read())
            except TransientError:
                continue  # a server that has just been killed
            next_show = max(next_show + self.view.interval, time.monotonic())
            self.view.show(figures, self._head(figures), self._hints())
        self.view.hide_cursor(False)
        self.stop.event.set()  # from now on a signal interrupts

    def _head(self, figures: Figures) -> str:
        end = f" of {clock(self.settings.seconds)}" if self.settings.seconds else ""
        title = self.view.paint("Skytools demo", BOLD)
        return (
            f"{title}   {clock(figures.elapsed)}{end}   load: pgbench TPC-B,"
            f" {self.settings.rate:g} events/s   Ctrl-C ends it and compares"
        )

    def _hints(self) -> list[str]:
        url = f"http://127.0.0.1:{self.stack.port}/metrics"
        command = " ".join([*map(shorten, self.stack.scriptmgr), "status"])
        told = self.stack.restarted[-3:]
        return [
            f"  metrics    {url}   one job: {url}/ledger",
            f"  try        {command}",
            f"             kill -9 any of these: jobs, manager {self.stack.manager_pid}, servers"
            f" {self.stack.source.pid} {self.stack.target.pid}; nothing gets lost",
            f"  replica    {self.replica.stage}",
            f"  standby    {self.standby.stage}",
            *([f"  started again: {', '.join(told)}"] if told else []),
        ]

    def _judge(self) -> int:
        self.view.say()
        self.view.say("stopping the load, waiting for the consumer, comparing ... ", end="")
        began = time.monotonic()
        # Servers that were killed a moment ago must be up for this.
        self.stack.tend()
        self.stack.stop_load(self.source)
        verdict, drained = final_check(self.source, self.target, DRAIN_SECONDS)
        self.view.say(self.view.paint(f"{time.monotonic() - began:.1f} s", DIM))
        shows = {"replica": self._outcome(self.replica), "standby": self._outcome(self.standby)}
        restarts = sum(int(job.get("restarts") or 0) for job in self.status.read())
        again = ["job"] * restarts + self.stack.restarted
        report(self.view, verdict, drained, Counter(again), shows, self.stack.state)
        bad = any(shown is not None and not shown.good for shown in shows.values())
        return 0 if verdict.good and drained and not bad else 1

    def _outcome(self, show: ReplicaShow | StandbyShow) -> Shown | None:
        """Return what came of a show; None when the demo was too short for it."""
        if self.settings.seconds is None or self.settings.seconds < NEEDS_SECONDS:
            return show.outcome
        return show.finish(SHOW_SECONDS)


def clock(seconds: float | None) -> str:
    """Return a duration as minutes and seconds."""
    return f"{int(seconds or 0) // 60:02}:{int(seconds or 0) % 60:02}"


def arguments(argv: list[str]) -> setup.Settings:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="demo", description="Run the Skytools demo.")
    parser.add_argument("--seconds", type=positive, help="end after this time (default: at Ctrl-C)")
    parser.add_argument("--rate", type=positive, default=100.0, help="events per second (100)")
    parser.add_argument("--state", type=Path, default=ROOT / ".demo", help="state folder (.demo)")
    given = parser.parse_args(argv)
    return setup.Settings(rate=given.rate, seconds=given.seconds, state=given.state)


def positive(text: str) -> float:
    """Convert a number above zero."""
    value = float(text)
    if not 0 < value < 10**6:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000000")
    return value


def main(argv: list[str]) -> int:
    """Run the demo."""
    settings = arguments(argv)
    stop, view = Stop(), View()
    stop.install()
    view.say("Skytools demo: a TPC-B load on one server, every change carried once to another")
    with stack.claimed(settings.state) as state:
        try:
            return Demo(settings, state, view, stop).run()
        except KeyboardInterrupt:
            view.say("\ninterrupted")
            raise
        except SkytoolsError:
            view.say()
            raise


if __name__ == "__main__":
    sys.exit(guard("demo", lambda: main(sys.argv[1:])))
