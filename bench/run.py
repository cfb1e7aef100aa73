# SPDX-License-Identifier: ISC
"""`make bench`: both sides alternating on one server, medians, docs/benchmarks.md.

A figure is the median over the rounds; a ratio is the median of the rounds' ratios, because the
machine drifts between rounds more than within one.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bench import producing, waiting, works
from bench.producing import Produced
from bench.sides import OURS, PLAIN, ROOT, THEIRS, Bench, Side
from skytools.core.pgserver import PrivateServer

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}

Work = Callable[[Bench, Side], float]
F = TypeVar("F")

PRODUCING: list[tuple[str, Callable[[Bench, Side], Produced]]] = [
    ("insert_event, 1 client", lambda b, s: producing.single(b, s, 1)),
    ("insert_event, 4 clients", lambda b, s: producing.single(b, s, 4)),
    ("insert_event, 200 k in one statement", producing.calls),
    ("one insert_events of 200 k against insert_event", producing.array),
]
FIGURES = (("rate", "events/s"), ("cpu", "CPU of backends, us"), ("wal", "WAL, bytes"))

RATES: list[tuple[str, str, Work]] = [
    ("read a 200 k batch, do-nothing handler", "events/s", works.consume_rate),
    (
        "exactly once into another database, insert per event, batches of 1000",
        "events/s",
        works.Remote(),
    ),
    ("the same: peak memory of the consumer, less is better", "MB", works.Remote(memory=True)),
]

# What a trigger adds to a statement on 100 k rows: less is better. Theirs is a row trigger always.
COSTS: list[tuple[str, str, Work]] = [
    (f"{function}, {level} trigger, {operation}, added CPU", "us/row", cost)
    for function in ("logutriga", "sqltriga", "jsontriga")
    for level in ("row", "statement")
    for operation in ("INSERT", "UPDATE")
    for cost in [works.TriggerCost(function, level, operation)]
]


def main() -> int:
    """Run the benchmark and write the page."""
    parser = argparse.ArgumentParser(description="Measure against Debian's pgq 3.5, side by side.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=15, help="length of a latency round")
    parser.add_argument("--only", default="", help="rows whose name has this text")
    parser.add_argument("--idle-seconds", type=int, default=60, help="length of an idle round")
    parser.add_argument(
        "--realtime", action="store_true", help="run before all others, at their cost (root)"
    )
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    opts = parser.parse_args()
    if opts.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    bindir = subprocess.run(
        [ROOT / "bench/peers.sh"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir="/var/tmp"))
    server = PrivateServer(folder / "data", Path(bindir), settings=SETTINGS)
    server.initdb()
    server.start()
    try:
        text = measure(Bench(server, folder), opts)
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    if opts.write:
        (ROOT / "docs/benchmarks.md").write_text(text, encoding="utf-8")
    return 0


def measure(bench: Bench, opts: argparse.Namespace) -> str:
    """Run all works and return the page."""
    lines = [header(bench, opts), PRODUCING_TEXT]
    for name, produce in PRODUCING:
        if opts.only in name:
            lines += produced_rows(bench, name, produce, opts.rounds)
    lines += ["", "| work | unit | pgq 3.5 | ours | ours / 3.5 |", "|---|---|---|---|---|"]
    for title, unit, work in RATES + COSTS:
        if opts.only in title:
            lines.append(progress(rate_row(bench, title, unit, work, opts.rounds)))
    lines += ["", LATENCY_TEXT]
    for side, rate in LATENCY_ROWS:
        name = f"{side.name}, {rate} events/s"
        if opts.only in name:
            lines.append(progress(latency_row(bench, side, rate, name, opts.seconds)))
    if opts.only in IDLE:
        lines += ["", IDLE_TEXT.format(opts.idle_seconds), *idle_rows(bench, opts.idle_seconds)]
    return "\n".join(lines) + "\n"


PRODUCING_TEXT = """Producing, beside the same rows in a plain table with such an index: the limit.
Single calls of insert_event are at that limit; what is left is the protocol, the commit and its
WAL, which no queue in the database can save.
CPU and WAL are per event, less is better; CPU is steadier than time where the machine is shared.

| work | figure | plain table | pgq 3.5 | ours | ours / 3.5 | ours / plain |
|---|---|---|---|---|---|---|"""
LATENCY_TEXT = """Insert commit to handler, ticker and consumer with their defaults. Waited: how
long in each second ticker, consumer or server were ready to run, but others had the processors.

| insert to handler | p50 ms | p95 ms | p99 ms | waited, ms/s |
|---|---|---|---|---|"""
LATENCY_ROWS = [(THEIRS, 100), (OURS, 1), (OURS, 100), (OURS, 2000)]
IDLE = f"idle, {waiting.DATABASES} databases x {waiting.QUEUES} queues"
IDLE_TEXT = f"""{IDLE}, {{}} s without an event, per second:

| idle | ticker, ms CPU | server, ms CPU | both | both / 3.5 | WAL, bytes |
|---|---|---|---|---|---|"""


def produced_rows(
    bench: Bench, name: str, work: Callable[[Bench, Side], Produced], rounds: int
) -> list[str]:
    """Measure three sides alternately and return a row for each figure."""
    found = alternate(bench, (PLAIN, THEIRS, OURS), work, rounds)
    rows = []
    for key, unit in FIGURES:
        plain, theirs, ours = ([getattr(one, key) for one in side] for side in found)
        digits = 2 if key == "cpu" else 0
        middles = map(statistics.median, (plain, theirs, ours))
        middle = " | ".join(f"{one:,.{digits}f}" for one in middles)
        rows.append(
            progress(
                f"| {name} | {unit} | {middle} | {ratio(ours, theirs):.2f} |"
                f" {ratio(ours, plain):.2f} |"
            )
        )
    return rows


def alternate(
    bench: Bench, sides: Sequence[Side], work: Callable[[Bench, Side], F], rounds: int
) -> list[list[F]]:
    """Return the figures of each side. Who goes first changes, so that a drift favours nobody."""
    found: list[list[F]] = [[] for _ in sides]
    for number in range(rounds):
        order = list(zip(sides, found, strict=True))
        for side, figures in order if number % 2 == 0 else reversed(order):
            figures.append(work(bench, side))
            bench.drop(side)
    return found


def ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(o / t for o, t in zip(ours, others, strict=True))


def latency_row(bench: Bench, side: Side, rate: int, name: str, seconds: int) -> str:
    """Measure a side's latency and return the row of the table."""
    found = waiting.latency(bench, side, rate, seconds)
    bench.drop(side)
    return f"| {name} | {found.p50:.1f} | {found.p95:.1f} | {found.p99:.1f} | {found.waited:.0f} |"


def idle_rows(bench: Bench, seconds: float) -> list[str]:
    """Measure what both tickers cost while nothing happens."""
    rows = []
    theirs = 0.0
    for side in (THEIRS, OURS):
        found = waiting.idle(bench, side, seconds)
        bench.drop(side)
        both = found.ticker + found.server
        theirs = theirs or both
        figures = f"{found.ticker:.2f} | {found.server:.2f} | {both:.2f} | {both / theirs:.2f}"
        rows.append(progress(f"| {side.name} | {figures} | {found.wal:,.0f} |"))
    return rows


def rate_row(bench: Bench, name: str, unit: str, work: Work, rounds: int) -> str:
    """Measure both sides alternately and return the row of the table."""
    theirs, ours = alternate(bench, (THEIRS, OURS), work, rounds)
    middle = statistics.median
    digits = 0 if middle(theirs) >= 100 else 2
    figures = " | ".join(f"{middle(side):,.{digits}f}" for side in (theirs, ours))
    return f"| {name} | {unit} | {figures} | {ratio(ours, theirs):.2f} |"


def header(bench: Bench, opts: argparse.Namespace) -> str:
    """Return the head of the page: machine, versions, command."""
    version = subprocess.run(
        [bench.server.program("postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return f"""# Benchmarks

PgQ against pgq 3.5. Londiste: [benchmarks-londiste.md](benchmarks-londiste.md).
walmgr (archiving, pair, restore, faults): [benchmarks-walmgr.md](benchmarks-walmgr.md).

Generated by `make bench` ({datetime.now(UTC):%Y-%m-%d}), {opts.rounds} rounds, both sides
alternating on one server, medians; the ratio is the median of the rounds' ratios. Absolute
figures belong to this machine only.

- {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {version}
- synchronous_commit off, shared_buffers {SETTINGS["shared_buffers"]}, payload 100 bytes
- priority: {"real-time, before all other programs" if opts.realtime else "as any program"}
- the other side: Debian's postgresql-15-pgq3, pgqd and python3-pgq, unpacked by bench/peers.sh
"""


def progress(text: str) -> str:
    """Show a row as soon as it is known."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return text


if __name__ == "__main__":
    sys.exit(main())
