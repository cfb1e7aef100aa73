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
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import works
from bench.sides import OURS, ROOT, THEIRS, Bench, Side
from skytools.core.pgserver import PrivateServer

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}

Work = Callable[[Bench, Side], float]

RATES: list[tuple[str, str, Work]] = [
    ("insert_event, 1 client", "/s", lambda b, s: works.insert_rate(b, s, 1)),
    ("insert_event, 4 clients", "/s", lambda b, s: works.insert_rate(b, s, 4)),
    ("insert_event, 200 k in one statement", "events/s", works.insert_statement_rate),
    ("one insert_events of 200 k against insert_event", "events/s", works.insert_events_rate),
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
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    opts = parser.parse_args()
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
    lines = [
        header(bench, opts),
        "| work | unit | pgq 3.5 | ours | ours / 3.5 |",
        "|---|---|---|---|---|",
    ]
    for name, unit, work in RATES + COSTS:
        if opts.only in name:
            lines.append(rate_row(bench, name, unit, work, opts.rounds))
            progress(lines[-1])
    lines += [
        "",
        LATENCY_TEXT,
        "| insert to handler | p50 ms | p95 ms | p99 ms |",
        "|---|---|---|---|",
    ]
    for side, rate, tuning in LATENCY_ROWS:
        name = f"{side.name}, {rate} events/s, {'tuned to 20 ms' if tuning else 'defaults'}"
        if opts.only in name:
            found = works.latency(bench, side, rate, opts.seconds, **tuning)
            row = f"| {name} | {found.p50:.1f} | {found.p95:.1f} | {found.p99:.1f} |"
            lines.append(row)
            progress(row)
    return "\n".join(lines) + "\n"


LATENCY_TEXT = "Insert commit to handler, ticker and consumer with their defaults:\n"
LATENCY_ROWS: list[tuple[Side, int, dict[str, object]]] = [
    (THEIRS, 100, {}),
    (OURS, 1, {}),
    (OURS, 100, {}),
    (OURS, 1000, {}),
]


def rate_row(bench: Bench, name: str, unit: str, work: Work, rounds: int) -> str:
    """Measure both sides alternately and return the row of the table."""
    theirs: list[float] = []
    ours: list[float] = []
    for number in range(rounds):
        # Who goes first changes, so that a drift of the machine favours nobody.
        order = [(THEIRS, theirs), (OURS, ours)]
        for side, found in order if number % 2 == 0 else reversed(order):
            found.append(work(bench, side))
            bench.drop(side)
    ratio = statistics.median(o / t for o, t in zip(ours, theirs, strict=True))
    middle = statistics.median
    digits = 0 if middle(theirs) >= 100 else 2
    figures = " | ".join(f"{middle(side):,.{digits}f}" for side in (theirs, ours))
    return f"| {name} | {unit} | {figures} | {ratio:.2f} |"


def header(bench: Bench, opts: argparse.Namespace) -> str:
    """Return the head of the page: machine, versions, command."""
    version = subprocess.run(
        [bench.server.program("postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return f"""# Benchmarks

Generated by `make bench` ({datetime.now(UTC):%Y-%m-%d}), {opts.rounds} rounds, both sides
alternating on one server, medians; the ratio is the median of the rounds' ratios. Absolute
figures belong to this machine only.

- {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {version}
- synchronous_commit off, shared_buffers {SETTINGS["shared_buffers"]}, payload 100 bytes
- the other side: Debian's postgresql-15-pgq3, pgqd and python3-pgq, unpacked by bench/peers.sh
"""


def progress(text: str) -> None:
    """Show a row as soon as it is known."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
