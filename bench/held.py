# SPDX-License-Identifier: ISC
"""`python -m bench.held`: the loop of tick, next_batch and finish_batch under a held snapshot.

With `--work node` the loop is that of a worker: where is my node, and this tick is done.

A transaction that is open for long, a forgotten psql or a pg_dump, keeps what is updated since from
being vacuumed. The loop runs in that database and, in turns, in another where nobody holds
anything: what differs is due to the snapshot, and not to the machine.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cost import backend_cpu
from bench.sides import QUEUE, ROOT, SIDES, Bench, Side
from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

TURN = 0.5
WINDOWS = 4
DEAD = "select sum(n_dead_tup)::bigint from pg_stat_all_tables where schemaname ~ '^pgq'"


@dataclass(slots=True)
class Spent:
    """What a number of loops took."""

    loops: int = 0
    wall: float = 0.0
    cpu: float = 0.0


def prepare_queue(db: Database, version: str) -> None:
    """Register a consumer, and have each call of the ticker tick."""
    db.execute("update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0'")
    db.query("select pgq.register_consumer(%s, 'bench')", (QUEUE,))


def consume(db: Database, loop: int) -> None:
    """Tick, and read what is there."""
    db.query("select pgq.ticker(%s)", (QUEUE,))
    batch = db.value("select pgq.next_batch(%s, 'bench')", (QUEUE,))
    db.query("select pgq.finish_batch(%s)", (batch,))


def prepare_node(db: Database, version: str) -> None:
    """Make a leaf."""
    db.execute(f"create extension pgq_node version '{version}'")
    for node in ("leaf", "root"):
        db.query("select pgq_node.register_location('cascade', %s, 'dbname=x', false)", (node,))
    db.query("select pgq_node.create_node('cascade', 'leaf', 'leaf', 'bench', 'root', 1, null)")


def follow(db: Database, loop: int) -> None:
    """Do what a worker does for each batch."""
    db.query("select * from pgq_node.get_worker_state('cascade')")
    db.query("select pgq_node.set_consumer_completed('cascade', 'bench', %s)", (loop,))


WORKS: dict[str, tuple[Callable[[Database, str], None], Callable[[Database, int], None]]] = {
    "queue": (prepare_queue, consume),
    "node": (prepare_node, follow),
}


def turn(work: Callable[[Database, int], None], db: Database, spent: Spent) -> None:
    """Run the loop for a while."""
    started, cpu = time.perf_counter(), backend_cpu(db)
    end = started + TURN
    while time.perf_counter() < end:
        work(db, spent.loops)
        spent.loops += 1
    spent.wall += time.perf_counter() - started
    spent.cpu += backend_cpu(db) - cpu


def compare(bench: Bench, side: Side, work_name: str, seconds: float, rest: float) -> None:
    """Print a line for each part of the time that the snapshot is held."""
    db = bench.fresh(side)
    name = f"{bench.dbname(side)}_free"
    bench.server.createdb(name)
    free = Database("free", bench.server.conninfo(name), autocommit=True)
    free.execute(f"create extension pgq version '{side.version}'")
    free.query("select pgq.create_queue(%s)", (QUEUE,))
    prepare, work = WORKS[work_name]
    for one in (db, free):
        one.execute("set synchronous_commit = off")
        prepare(one, side.version)
        turn(work, one, Spent())
        one.execute("vacuum analyze")
    holder = Database("holder", bench.server.conninfo(bench.dbname(side)))
    holder.execute("set transaction isolation level repeatable read")
    holder.query("select 1")
    total = 0
    started = time.monotonic()
    for window in range(1, WINDOWS + 1):
        held, beside = Spent(), Spent()
        while time.monotonic() < started + seconds * window / WINDOWS:
            turn(work, db, held)
            turn(work, free, beside)
            time.sleep(rest)
        total += held.loops
        db.query("select pg_stat_force_next_flush()")
        dead = db.value(DEAD)
        rate, usual = held.loops / held.wall, beside.loops / beside.wall
        cpu, other = held.cpu / held.loops, beside.cpu / beside.loops
        sys.stdout.write(
            f"{side.name}: after {seconds * window / WINDOWS:.0f} s and {total} loops: {rate:.0f}"
            f" loops/s, {rate / usual:.0%} of {usual:.0f} beside; {cpu * 1e6:.0f} us of CPU a loop,"
            f" {other * 1e6:.0f} beside: {other / cpu:.0%}; {dead} dead rows\n"
        )
        sys.stdout.flush()
    for one in (holder, free):
        one.close()
    bench.server.dropdb(name)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long the snapshot is held")
    parser.add_argument("--work", choices=sorted(WORKS), default="queue", help="which loop")
    parser.add_argument("--only", default="", help="the side of this name")
    parser.add_argument(
        "--rest", type=float, default=0, help="seconds between turns, to leave processors to others"
    )
    opts = parser.parse_args()
    bindir = subprocess.run(
        [ROOT / "bench/peers.sh", "held"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir="/var/tmp"))
    server = PrivateServer(
        folder / "data", Path(bindir), settings={"shared_buffers": "1GB", "max_wal_size": "8GB"}
    )
    try:
        server.initdb()
        server.start()
        for side in SIDES:
            if opts.only in side.name:
                compare(Bench(server, folder), side, opts.work, opts.seconds, opts.rest)
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
