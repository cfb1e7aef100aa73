# SPDX-License-Identifier: ISC
"""Londiste's copy: a big table with indexes to in-sync, against built-in replication and 3.11.

All sides on one server, alternating. Also: three small tables of an idle system to in-sync, and
how long other tables stand still on the replica while a big one is copied under load.

    python -m bench.londiste_copy [--rounds 3] [--rows 2000000] [--only ours,builtin]
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

from bench import londiste_sides as sides
from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

SETTINGS = {**sides.SETTINGS, "maintenance_work_mem": "256MB", "max_wal_size": "16GB"}
BIG = """
create table big (id int primary key, customer int, created timestamptz, amount numeric(12,2),
                  note text);
create index on big (customer);
create index on big (created);
create index on big (note);
create table beat (id int primary key, at timestamptz);
create table s1 (id int primary key, a text);
create table s2 (id int primary key, a text);
create table s3 (id int primary key, a text);
"""
FILL = """
insert into big select n, n % 50000, '2024-01-01'::timestamptz + n * interval '1 second',
       n / 100.0, 'note ' || md5(n::text) from generate_series(1, {rows}) n;
vacuum analyze big;
insert into beat values (1, now());
insert into s1 select n, 'a' from generate_series(1, 1000) n;
insert into s2 select n, 'a' from generate_series(1, 1000) n;
insert into s3 select n, 'a' from generate_series(1, 1000) n;
"""
DEADLINE = 900.0
SMALL = ("s1", "s2", "s3")


class Tables(sides.Pair):
    """What all sides have in common: tables with rows on the root, without on the replica."""

    schema: ClassVar[str] = BIG
    tables: ClassVar[tuple[str, ...]] = ("big", "beat", *SMALL)

    def fill(self, rows: int) -> None:
        """Put rows on the root."""
        for statement in FILL.format(rows=rows).strip().split(";\n"):
            self.root.execute(statement).close()
        self.root.execute("checkpoint").close()

    def add(self, *tables: str) -> None:
        """Subscribe the replica to tables."""

    def synced(self, *tables: str) -> bool:
        """Tell whether tables are in sync."""
        raise AssertionError(f"{type(self).__name__} must define synced()")

    def copy(self, *tables: str) -> float:
        """Return the seconds until tables are in sync."""
        start = time.perf_counter()
        self.add(*tables)
        while not self.synced(*tables):
            if time.perf_counter() - start > DEADLINE:
                raise TimeoutError(f"{self.name}: not in sync after {DEADLINE:g} s")
            time.sleep(0.01)
        taken = time.perf_counter() - start
        for table in tables:
            query = f"select count(*), sum(hashtextextended(t::text, 0)) from {table} t"
            if table != "beat" and self.leaf.query(query) != self.root.query(query):
                raise ValueError(f"{self.name}: {table} differs")
        return taken


class BuiltIn(Tables, sides.BuiltIn):
    """Logical replication of the server itself: all is published, a table at a time."""

    options: ClassVar[str] = ""

    def add(self, *tables: str) -> None:
        """Subscribe the replica to tables."""
        self.root.execute(f"alter publication pub add table {', '.join(tables)}").close()
        self.leaf.execute("alter subscription sub refresh publication").close()

    def synced(self, *tables: str) -> bool:
        """Tell whether tables are in sync."""
        query = "select count(*) from pg_subscription_rel where srsubstate <> 'r'"
        return not self.leaf.value(query)


class Londiste(Tables, sides.Londiste):
    """A root and a leaf of Londiste, ours."""

    def start(self) -> None:
        """Make root and leaf and start ticker and worker."""
        self.make_nodes()
        self.run_programs(logfile=self.folder / f"{self.name}_worker.log")
        time.sleep(3)

    def add(self, *tables: str) -> None:
        """Subscribe the replica to tables."""
        for table in tables:
            self.leaf.execute(
                "select * from londiste.local_add_table('q', %s)", (f"public.{table}",)
            ).close()

    def synced(self, *tables: str) -> bool:
        """Tell whether tables are in sync."""
        query = """select count(*) from londiste.table_info where local
            and merge_state is distinct from 'ok'"""
        return not self.leaf.value(query)


class Londiste3(Londiste, sides.Londiste3):
    """The same with Debian's packages."""


class Beat:
    """A row that is updated on the root all the time; how old it is on the replica."""

    def __init__(self, pair: Tables) -> None:
        self._pair = pair
        self._stop = threading.Event()
        self.worst = 0.0
        self._threads = [threading.Thread(target=one) for one in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        db = Database("beat", self._pair.root.conninfo, autocommit=True)
        while not self._stop.wait(0.01):
            db.execute("update beat set at = clock_timestamp()").close()
            db.execute("update big set amount = amount + 1 where id = 1 + random() * 1000").close()
        db.close()

    def _read(self) -> None:
        db = Database("beat", self._pair.leaf.conninfo, autocommit=True)
        query = "select extract(epoch from clock_timestamp() - at)::float8 from beat"
        while not self._stop.wait(0.01):
            self.worst = max(self.worst, db.value(query) or 0.0)
        db.close()

    def stop(self) -> float:
        """End it; the oldest that the row has been."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.worst


def stall(pair: Tables) -> tuple[float, float]:
    """Return the longest lag of another table before, and during, a copy under load."""
    pair.copy("beat")
    beat = Beat(pair)
    query = "select clock_timestamp() - at < interval '1 second' from beat"
    while not pair.leaf.value(query):
        time.sleep(0.05)
    beat.worst = 0.0
    time.sleep(4)
    before, beat.worst = beat.worst, 0.0
    start = time.perf_counter()
    pair.add("big")
    while not pair.synced("big"):
        if time.perf_counter() - start > DEADLINE:
            raise TimeoutError(f"{pair.name}: not in sync after {DEADLINE:g} s")
        time.sleep(0.05)
    return before, beat.stop()


SIDES: dict[str, type[Tables]] = {"builtin": BuiltIn, "ours": Londiste, "londiste3": Londiste3}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--only", default="ours,builtin", help="these sides, by commas")
    opts = parser.parse_args()
    with sides.bench_server("copy", SETTINGS) as (server, folder):
        run(server, folder, opts.only.split(","), opts)
    return 0


def run(server: PrivateServer, folder: Path, wanted: list[str], opts: argparse.Namespace) -> None:
    """Measure all sides in each round."""
    big: dict[str, list[float]] = {name: [] for name in wanted}
    for number, name in sides.in_turns(wanted, opts.rounds):
        pair = SIDES[name](name, server, folder)
        try:
            pair.fill(opts.rows)
            pair.start()
            small = pair.copy(*SMALL)
            big[name].append(pair.copy("big"))
            print(
                f"  round {number}, {name}: {opts.rows} rows {big[name][-1]:.2f} s,"
                f" three small tables {small:.2f} s",
                flush=True,
            )
        finally:
            pair.stop()
    for name in wanted:
        pair = SIDES[name](name, server, folder)
        try:
            pair.fill(opts.rows // 2)
            pair.start()
            before, during = stall(pair)
            print(f"  {name}: lag of another table {before:.3f} s, during a copy {during:.3f} s")
        finally:
            pair.stop()
    if {"ours", "builtin"} <= set(wanted):
        print(f"ours / built-in: {sides.ratio(big['ours'], big['builtin']):.2f}")


if __name__ == "__main__":
    sys.exit(main())
