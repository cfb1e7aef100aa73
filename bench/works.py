# SPDX-License-Identifier: ISC
"""Capturing and reading. Each function returns the figure of one side and one round."""

from __future__ import annotations

from dataclasses import dataclass

from bench.cost import backend_cpu
from bench.sides import OURS, PAYLOAD, QUEUE, Bench, Side, wait_end
from skytools.core.db import Database

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
