# SPDX-License-Identifier: ISC
"""Writing events, with the same rows written into a plain table beside: what is the limit."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from bench import cost
from bench.sides import PAYLOAD, PLAIN, QUEUE, Bench, Side
from skytools.core.db import Database

BULK = 200_000
INTO_PLAIN = "insert into plain (ev_time, ev_type, ev_data)"
LSN = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


@dataclass(frozen=True, slots=True)
class Produced:
    """Events per second; CPU of the backends, microseconds an event; bytes of WAL an event."""

    rate: float
    cpu: float
    wal: float


def single(bench: Bench, side: Side, clients: int, seconds: int = 4) -> Produced:
    """Write events one by one, each in its transaction, by pgbench."""
    db = bench.fresh(side)
    call = f"select pgq.insert_event('{QUEUE}', 'type', '{PAYLOAD}')"
    if side is PLAIN:
        call = f"{INTO_PLAIN} values (now(), 'type', '{PAYLOAD}') returning ev_id"
    script = bench.folder / "insert.sql"
    script.write_text(f"{call};\n")
    server = bench.server.pid
    assert server is not None
    wal, before, used = db.value(LSN), cost.children(server), cost.reaped(server)
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
    cost.wait_children(server, before)
    cpu, bytes_ = cost.reaped(server) - used, float(db.value(LSN) - wal)
    lines = done.stdout.splitlines()
    rate = next(float(line.split()[2]) for line in lines if line.startswith("tps"))
    count = next(int(line.split()[-1]) for line in lines if line.startswith("number of transactio"))
    return Produced(rate, cpu / count * 1e6, bytes_ / count)


def calls(bench: Bench, side: Side) -> Produced:
    """Call insert_event for each row of one statement."""
    return _statement(
        bench,
        side,
        f"select count(pgq.insert_event('{QUEUE}', 'type', %s)) from generate_series(1, {BULK})",
    )


def array(bench: Bench, side: Side) -> Produced:
    """Write all by one insert_events; 3.5 has none, so it is called as above."""
    if side.version == "3.5":
        return calls(bench, side)
    return _statement(
        bench,
        side,
        f"select pgq.insert_events('{QUEUE}', array_agg('type'::text), array_agg(%s::text))"
        f" from generate_series(1, {BULK})",
    )


def _statement(bench: Bench, side: Side, statement: str) -> Produced:
    db: Database = bench.fresh(side)
    if side is PLAIN:
        statement = f"{INTO_PLAIN} select now(), 'type', %s from generate_series(1, {BULK})"
    wal, used, start = db.value(LSN), cost.backend_cpu(db), time.perf_counter()
    db.execute(statement, (PAYLOAD,)).close()
    seconds, cpu = time.perf_counter() - start, cost.backend_cpu(db) - used
    return Produced(BULK / seconds, cpu / BULK * 1e6, float(db.value(LSN) - wal) / BULK)
