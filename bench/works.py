# SPDX-License-Identifier: ISC
"""What is measured. Each function returns the figures of one side and one round."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.sides import OURS, QUEUE, Bench, Side, wait_end
from skytools.core.db import Database

PAYLOAD = "x" * 100


@dataclass(frozen=True, slots=True)
class Latencies:
    """Insert to handler, milliseconds."""

    p50: float
    p95: float
    p99: float
    count: int


def insert_rate(bench: Bench, side: Side, clients: int, seconds: int = 4) -> float:
    """Return insert_event calls per second, one a transaction, by pgbench."""
    bench.fresh(side)
    script = bench.folder / "insert.sql"
    script.write_text(f"select pgq.insert_event('{QUEUE}', 'type', '{PAYLOAD}');\n")
    done = subprocess.run(
        [
            bench.server.program("pgbench"),
            *("-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2))),
            *("-T", str(seconds), "-f", str(script)),
            bench.server.conninfo(bench.dbname(side)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def insert_statement_rate(bench: Bench, side: Side, events: int = 200_000) -> float:
    """Return events per second of insert_event called for each row of one statement."""
    db = bench.fresh(side)
    start = time.perf_counter()
    db.query(
        "select count(pgq.insert_event(%s, 'type', %s)) from generate_series(1, %s)",
        (QUEUE, PAYLOAD, events),
    )
    return events / (time.perf_counter() - start)


CAPTURED_ROWS = 100_000
CAPTURED = """
    drop table if exists captured;
    create table captured (id int primary key, name text, n int, at timestamptz, amount numeric);
"""
CHANGES = {
    "INSERT": """
        insert into captured
        select i, 'name ' || i, i * 7, timestamptz '2024-01-01' + i * interval '1 s', i * 1.5
        from generate_series(1, %(rows)s) i
    """,
    "UPDATE": "update captured set n = n + 1",
}
TRANSITIONS = {
    "INSERT": "referencing new table as new_rows",
    "UPDATE": "referencing old table as old_rows new table as new_rows",
}


@dataclass(frozen=True, slots=True)
class TriggerCost:
    """CPU that a trigger adds to a statement on 100 k rows of five columns, microseconds a row.

    The other side has row triggers only: against them a statement trigger of ours is measured too.
    """

    function: str
    level: str
    operation: str

    def __call__(self, bench: Bench, side: Side) -> float:
        """Return the difference between the statement with the trigger and without."""
        db = bench.fresh(side)
        plain = self._seconds(db, "")
        level = self.level if side is OURS else "row"
        tables = TRANSITIONS[self.operation] if level == "statement" else ""
        trigger = (
            f"create trigger capture after {self.operation} on captured {tables}"
            f" for each {level} execute function pgq.{self.function}('{QUEUE}')"
        )
        return (self._seconds(db, trigger) - plain) / CAPTURED_ROWS * 1e6

    def _seconds(self, db: Database, trigger: str) -> float:
        rows = {"rows": CAPTURED_ROWS}
        db.execute(CAPTURED)
        if self.operation == "UPDATE":
            db.execute(CHANGES["INSERT"], rows)
        if trigger:
            db.execute(trigger)
        start = backend_cpu(db)
        db.execute(CHANGES[self.operation], rows)
        return backend_cpu(db) - start


def backend_cpu(db: Database) -> float:
    """Return the seconds of CPU that the connection's backend has used."""
    pid = db.value("select pg_backend_pid()")
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def insert_events_rate(bench: Bench, side: Side, events: int = 200_000) -> float:
    """Return events per second of one insert_events call; of 3.5, which has none, as above."""
    if side.version == "3.5":
        return insert_statement_rate(bench, side, events)
    db = bench.fresh(side)
    start = time.perf_counter()
    db.query(
        "select pgq.insert_events(%s, array_agg('type'::text), array_agg(%s::text))"
        " from generate_series(1, %s)",
        (QUEUE, PAYLOAD, events),
    )
    return events / (time.perf_counter() - start)


def consume_rate(bench: Bench, side: Side, events: int = 200_000) -> float:
    """Return events per second through a handler that does nothing, one batch, blocks of 5000."""
    db = bench.fresh(side)
    db.query("select pgq.register_consumer(%s, 'bench')", (QUEUE,))
    table = db.value("select pgq.current_event_table(%s)", (QUEUE,))
    db.execute(
        f"insert into {table} (ev_time, ev_type, ev_data, ev_extra1)"
        " select now(), 'I:id', %s, 'public.bench' from generate_series(1, %s)",
        (PAYLOAD, events),
    )
    tick(db)
    result = bench.consume(side, events, pgq_lazy_fetch=5000)
    counts = [line.split()[:2] for line in result.read_text().splitlines()]
    return sum(int(n) for n, _ in counts) / sum(float(t) for _, t in counts)


@dataclass(frozen=True, slots=True)
class Remote:
    """Exactly once into another database: an insert per event, batches of 1000.

    `memory` gives the peak of the consumer's process in MB instead of events per second. The
    target's pgq_ext is ours for both: its functions are the same.
    """

    memory: bool = False
    batches: int = 50
    size: int = 1000

    def __call__(self, bench: Bench, side: Side) -> float:
        """Return the figure of one side."""
        db = bench.fresh(side)
        name = f"{bench.dbname(side)}_target"
        bench.server.dropdb(name)
        bench.server.createdb(name)
        target = Database("target", bench.server.conninfo(name), autocommit=True)
        target.execute(
            """create extension pgq_ext;
               create table ledger (id bigint primary key, data text,
                                    at timestamptz default clock_timestamp())"""
        )
        try:
            self._fill(db)
            events = self.batches * self.size
            result, ini = bench.consumer_ini(
                side, events, dst_db=target.conninfo, consumer_name="bench"
            )
            with bench.program(side, *side.remote, ini) as process:
                wait_end(process, 300)
            if self.memory:
                return int(result.read_text()) / 1024
            count, seconds = target.query(
                "select count(*), extract(epoch from max(at) - min(at))::float8 from ledger"
            )[0]
            assert count == events, f"{side.name}: {count} of {events} events"
            return float(count / seconds)
        finally:
            target.close()
            bench.server.dropdb(name)

    def _fill(self, db: Database) -> None:
        db.query("select pgq.register_consumer(%s, 'bench')", (QUEUE,))
        table = db.value("select pgq.current_event_table(%s)", (QUEUE,))
        for _ in range(self.batches):
            db.execute(
                f"insert into {table} (ev_time, ev_type, ev_data)"
                " select now(), 't', %s from generate_series(1, %s)",
                (PAYLOAD, self.size),
            )
            tick(db)


def tick(db: Database) -> None:
    """Make a tick now, whatever the queue's settings are."""
    db.query("select pgq.force_tick(%s)", (QUEUE,))
    db.query("select pgq.ticker(%s)", (QUEUE,))


def latency(bench: Bench, side: Side, rate: int, seconds: int, **tuning: object) -> Latencies:
    """Return insert-to-handler times at `rate` single-event transactions per second.

    Ticker and consumer run with their defaults, but for `tuning` (keys of the ticker's ini).
    """
    db = bench.fresh(side)
    db.query("select pgq.register_consumer(%s, 'bench')", (QUEUE,))
    events = rate * seconds
    result, ini = bench.consumer_ini(side, events, latency=1)
    with bench.ticker(side, **tuning), bench.program(side, *side.consumer, ini) as consumer:
        time.sleep(2)  # both have connected; what is measured is the steady state
        produce(db, rate, events)
        wait_end(consumer, 120)
    return summary(sorted(times(result)))


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


def summary(values: list[float]) -> Latencies:
    """Return percentiles of sorted values."""

    def at(share: float) -> float:
        return values[min(int(len(values) * share), len(values) - 1)]

    return Latencies(at(0.50), at(0.95), at(0.99), len(values))
