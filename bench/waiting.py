# SPDX-License-Identifier: ISC
"""From the insert to the handler, and what a ticker costs while nothing is inserted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import cost
from bench.sides import PAYLOAD, QUEUE, Bench, Side, wait_end
from skytools.core.db import Database

DATABASES = 30
QUEUES = 20
SETTLE = 10.0
LSN = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Insert to handler, milliseconds.

    `waited`: ms a second that ticker, consumer or server were ready to run without a processor.
    """

    p50: float
    p95: float
    p99: float
    waited: float


@dataclass(frozen=True, slots=True)
class Idle:
    """CPU in ms a second, and WAL in bytes a second."""

    ticker: float
    server: float
    wal: float


def latency(bench: Bench, side: Side, rate: int, seconds: int) -> Latencies:
    """Insert `rate` events a second, each in its transaction; ticker and consumer by default."""
    db = bench.fresh(side)
    db.query("select pgq.register_consumer(%s, 'bench')", (QUEUE,))
    events = rate * seconds
    result, ini = bench.consumer_ini(side, events, latency=1)
    with bench.ticker(side) as ticker, bench.program(side, *side.consumer, ini) as consumer:
        time.sleep(2)  # both have connected; what is measured is the steady state
        assert bench.server.pid is not None
        pids = ticker.pid, consumer.pid, bench.server.pid
        before = cost.spent(*pids)
        produce(db, rate, events)
        waited = (cost.spent(*pids) - before).waited
        wait_end(consumer, 120)
    found = sorted(times(result))

    def at(share: float) -> float:
        return found[min(int(len(found) * share), len(found) - 1)]

    return Latencies(at(0.50), at(0.95), at(0.99), waited / seconds * 1000)


def produce(db: Database, rate: int, events: int) -> None:
    """Insert events one by one, evenly spread."""
    start = time.perf_counter()
    for number in range(events):
        due = start + number / rate
        if (ahead := due - time.perf_counter()) > 0:
            time.sleep(ahead)
        db.query("select pgq.insert_event(%s, 'type', %s)", (QUEUE, PAYLOAD))


def times(result: Path) -> Iterator[float]:
    """Yield the latencies a consumer wrote."""
    for line in result.read_text().splitlines():
        yield from map(float, line.split()[2:])


def idle(bench: Bench, side: Side, seconds: float) -> Idle:
    """Let the side's ticker serve many queues that get no events.

    Autovacuum is off: of its own accord it looks at every database.
    """
    names = bench.many(side, DATABASES, QUEUES)
    admin = Database("admin", bench.server.conninfo(), autocommit=True)
    try:
        _set_autovacuum(admin, "off")
        admin.execute("checkpoint").close()
        with bench.ticker(side, database_list=", ".join(names)) as ticker:
            time.sleep(SETTLE)
            assert bench.server.pid is not None
            wal, before = admin.value(LSN), (cost.spent(ticker.pid), cost.spent(bench.server.pid))
            time.sleep(seconds)
            after = cost.spent(ticker.pid), cost.spent(bench.server.pid)
            written = float(admin.value(LSN) - wal)
    finally:
        _set_autovacuum(admin, "on")
        admin.close()
        for name in names:
            bench.server.dropdb(name)
    cpu = [(end - start).cpu / seconds * 1000 for start, end in zip(before, after, strict=True)]
    return Idle(cpu[0], cpu[1], written / seconds)


def _set_autovacuum(admin: Database, value: str) -> None:
    admin.execute(f"alter system set autovacuum = {value}").close()
    admin.query("select pg_reload_conf()")
