# SPDX-License-Identifier: ISC
"""Londiste's apply: updates of single rows from a backlog, against built-in and Londiste 3.11.

All sides on one server, alternating. Each has its replica connected and paused while the backlog
is made by pgbench, one update a transaction, with its ticker running; the time is from resuming
to the last row seen on the replica.

    python -m bench.londiste_apply [--rounds 3] [--updates 200000] [--only ours]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import ClassVar

from bench import londiste_sides as sides
from skytools.core.pgserver import PrivateServer

ROWS = 100_000
TABLE = f"""
create table account (id int primary key, branch int, balance bigint, changed timestamptz,
                      filler text);
insert into account select n, n / 1000, 0, '2020-01-01', repeat('x', 60)
  from generate_series(0, {ROWS}) n;
"""
# What pgbench's tellers do, to one table.
UPDATE = rf"""\set id random(1, {ROWS})
\set delta random(-5000, 5000)
update account set balance = balance + :delta, changed = now() where id = :id;
"""
DEADLINE = 300.0


class Backlog(sides.Pair):
    """One table, and a backlog of updates."""

    schema: ClassVar[str] = TABLE
    tables: ClassVar[tuple[str, ...]] = ("account",)

    def measure(self, updates: int) -> tuple[float, float]:
        """Return the seconds that the backlog takes, and the CPU seconds of all processes."""
        script = self.folder / "update.sql"
        script.write_text(UPDATE, encoding="utf-8")
        clients = 4
        self.pgbench("-f", script, "-t", str(updates // clients), clients=clients)
        self.root.execute("update account set balance = -1 where id = 0").close()
        time.sleep(1.0)  # let tickers and walsenders come to rest
        start, cpu = time.perf_counter(), sides.cpu_seconds(self.server)
        self.resume()
        query = "select true from account where id = 0 and balance = -1"
        fault = f"{self.name}: not there after {DEADLINE:g} s"
        sides.wait(lambda: self.leaf.value(query), DEADLINE, fault, pause=0.01)
        taken = time.perf_counter() - start
        used = sides.cpu_seconds(self.server) - cpu
        self._same()
        return taken, used

    def _same(self) -> None:
        query = "select sum(hashtextextended(t::text, 0)) from account t"
        if self.leaf.value(query) != self.root.value(query):
            raise ValueError(f"{self.name}: the replica differs")


class BuiltIn(Backlog, sides.BuiltIn):
    """Logical replication of the server itself."""


class Londiste(Backlog, sides.Londiste):
    """Ours."""


class Londiste3(Backlog, sides.Londiste3):
    """That of Debian's packages."""


SIDES: dict[str, type[Backlog]] = {"builtin": BuiltIn, "ours": Londiste, "londiste3": Londiste3}
Figures = dict[str, list[tuple[float, float]]]


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=200_000)
    parser.add_argument("--only", default="", help="these sides, by commas")
    opts = parser.parse_args()
    wanted = opts.only.split(",") if opts.only else list(SIDES)
    with sides.bench_server("apply", sides.SETTINGS) as (server, folder):
        found = run(server, folder, wanted, opts)
    report(found, opts.updates)
    return 0


def run(
    server: PrivateServer, folder: Path, wanted: list[str], opts: argparse.Namespace
) -> Figures:
    """Measure all sides in each round."""
    found: Figures = {name: [] for name in wanted}
    for number, name in sides.in_turns(wanted, opts.rounds):
        pair = SIDES[name](name, server, folder)
        try:
            pair.start()
            found[name].append(pair.measure(opts.updates))
        except Exception:
            pair.fail_with_log()
            raise
        finally:
            pair.stop()
        seconds, cpu = found[name][-1]
        print(f"  round {number}, {name}: {seconds:.2f} s, CPU {cpu:.2f} s", flush=True)
    return found


def report(found: Figures, updates: int) -> None:
    """Print the medians, and how often ours is as fast."""
    print(f"\n| {updates:,} updates of one row, from backlog | seconds | CPU us a row | ours is"
          " faster by | uses less CPU by |\n|---|---|---|---|---|")  # fmt: skip
    for name, figures in found.items():
        walls, cpus = zip(*figures, strict=True)
        ratios = " | "
        if "ours" in found and name != "ours":
            our_walls, our_cpus = zip(*found["ours"], strict=True)
            ratios = f"{sides.ratio(walls, our_walls):.2f} | {sides.ratio(cpus, our_cpus):.2f}"
        each = statistics.median(cpus) / updates * 1e6
        print(f"| {name} | {statistics.median(walls):.2f} | {each:.1f} | {ratios} |")
    print(f"\n{os.cpu_count()} cores, synchronous_commit as the server's tests have it")


if __name__ == "__main__":
    sys.exit(main())
