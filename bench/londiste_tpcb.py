# SPDX-License-Identifier: ISC
"""Mixed load, pgbench's TPC-B with 4 clients: what capture costs the root, how late the leaf is.

    python -m bench.londiste_tpcb [--rounds 3] [--seconds 5] [--rate 300] [--only none,ours]

All sides on one server. Cost: throughput of the root with capture on and the replica paused, in
turns with a database without replication. Lag: from the commit on the root to the commit on the
leaf of the same row of pgbench_history, by the commit timestamps of the one server, so nobody is
asked while it runs; at a rate that leaves the machine idle time, and with clients that never rest.
As built-in replication commits with the timestamp of the source, the time at which a row is
inserted is taken there instead, which is a little earlier.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bench import londiste_sides as sides
from skytools.core.db import Database

SETTINGS = {**sides.SETTINGS, "track_commit_timestamp": "on", "synchronous_commit": "on"}
SCALE = 10  # branches: more than clients, so that these seldom wait for each other
WARM = 2.0  # s of a run whose rows are not counted
DEADLINE = 120.0
SCHEMA = f"""
create table pgbench_branches (bid int primary key, bbalance int, filler char(88))
  with (fillfactor = 50);
create table pgbench_tellers (tid int primary key, bid int, tbalance int, filler char(84))
  with (fillfactor = 50);
create table pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84))
  with (fillfactor = 90);
create table pgbench_history (hid bigserial primary key, tid int, bid int, aid int, delta int,
                              mtime timestamp, filler char(22));
insert into pgbench_branches select n, 0, '' from generate_series(1, {SCALE}) n;
insert into pgbench_tellers select n, (n - 1) / 10 + 1, 0, ''
  from generate_series(1, {SCALE * 10}) n;
insert into pgbench_accounts select n, (n - 1) / 100000 + 1, 0, ''
  from generate_series(1, {SCALE * 100000}) n;
"""
# Of rows from one id on: id -> when, as seconds.
WHEN = "select hid, extract(epoch from {})::float8 from pgbench_history where hid > %s"
COMMITTED = "pg_xact_commit_timestamp(xmin)"
LAGS = (50, 99)


@dataclass(frozen=True, slots=True)
class Lag:
    """Of rows of one run: p50 and p99 in ms, how many, and CPU ms a transaction of all."""

    p50: float
    p99: float
    rows: int
    cpu: float

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms of {self.rows} transactions,"
            f" CPU {self.cpu:.2f} ms each"
        )


class Tpcb(sides.Pair):
    """pgbench's tables; without any replica."""

    schema: ClassVar[str] = SCHEMA
    tables: ClassVar[tuple[str, ...]] = tuple(
        f"pgbench_{name}" for name in ("branches", "tellers", "accounts", "history")
    )

    arrived: ClassVar[str] = COMMITTED  # when a row of the history was there on the leaf

    def speed(self, seconds: int) -> float:
        """Return the transactions a second."""
        text = self.pgbench("-b", "tpcb-like", "-s", str(SCALE), "-T", str(seconds))
        found = re.search(r"tps = ([\d.]+)", text)
        assert found is not None
        return float(found[1])

    def lag(self, seconds: int, *options: str) -> Lag:
        """Return how late the replica is, which is let go before and paused after."""
        self.resume()
        self._level()
        first = self._last(self.root)
        cpu = sides.cpu_seconds(self.server)
        self.pgbench(
            "-b", "tpcb-like", "-s", str(SCALE), "-T", str(seconds + round(WARM)), *options
        )
        self._level()
        used = sides.cpu_seconds(self.server) - cpu
        root = dict(self.root.query(WHEN.format(COMMITTED), (first,)))
        leaf = dict(self.leaf.query(WHEN.format(self.arrived), (first,)))
        self.pause()
        if root.keys() != leaf.keys():
            raise ValueError(f"{self.name}: the replica has {len(leaf)} of {len(root)} rows")
        begin = min(root.values()) + WARM
        late = sorted((leaf[key] - at) * 1000 for key, at in root.items() if at >= begin)
        p50, p99 = (late[len(late) * part // 100] for part in LAGS)
        return Lag(p50, p99, len(late), used / len(root) * 1000)

    @staticmethod
    def _last(db: Database) -> int:
        return int(db.value("select coalesce(max(hid), 0) from pgbench_history"))

    def _level(self) -> None:
        """Wait until the replica has all."""
        self.root.execute("insert into pgbench_history (delta) values (0)").close()
        last = self._last(self.root)
        fault = f"{self.name}: not level after {DEADLINE:g} s"
        sides.wait(lambda: self._last(self.leaf) >= last, DEADLINE, fault)

    def same(self) -> None:
        """Raise ValueError when the replica differs."""
        self.resume()
        self._level()
        for table in self.tables:
            columns = "hid, delta, mtime" if table == "pgbench_history" else "*"
            query = f"""select count(*), sum(hashtextextended(t::text, 0))
                          from (select {columns} from {table}) t"""
            if self.leaf.query(query) != self.root.query(query):
                raise ValueError(f"{self.name}: {table} differs")
        self.pause()


class BuiltIn(Tpcb, sides.BuiltIn):
    """Logical replication of the server itself."""

    arrived: ClassVar[str] = "seen"

    def start(self) -> None:
        """Have the leaf note when a row comes."""
        self.leaf.execute(
            "alter table pgbench_history add seen timestamptz default clock_timestamp()"
        ).close()
        super().start()


class Londiste(Tpcb, sides.Londiste):
    """Ours."""


class Londiste3(Tpcb, sides.Londiste3):
    """That of Debian's packages."""


SIDES: dict[str, type[Tpcb]] = {
    "none": Tpcb, "builtin": BuiltIn, "ours": Londiste, "londiste3": Londiste3
}  # fmt: skip


def main() -> int:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of the cost")
    parser.add_argument("--seconds", type=int, default=5, help="of one run")
    parser.add_argument("--rate", type=int, default=300, help="transactions a second; 0: not")
    parser.add_argument("--only", default="", help="these sides, by commas")
    opts = parser.parse_args()
    wanted = opts.only.split(",") if opts.only else list(SIDES)
    with sides.bench_server("tpcb", SETTINGS) as (server, folder):
        pairs: list[Tpcb] = []
        try:
            for name in wanted:
                pairs.append(SIDES[name](name, server, folder))
                pairs[-1].start()
            lags = [(pair, measure_lag(pair, opts)) for pair in pairs if pair.name != "none"]
            report_lags(lags, opts.rate)
            report_speeds(measure_speeds(pairs, opts))
            for pair in pairs:
                if pair.name in ("ours", "builtin"):
                    pair.same()
        except Exception:
            for pair in pairs:
                pair.fail_with_log()
            raise
        finally:
            for pair in pairs:
                pair.stop()
    return 0


def measure_lag(pair: Tpcb, opts: argparse.Namespace) -> list[Lag]:
    """Return the lag at the rate, and with clients that never rest."""
    found = []
    for options in (["-R", str(opts.rate)], []):
        if opts.rate or not options:
            found.append(pair.lag(opts.seconds, *options))
            print(f"  {pair.name}, {' '.join(options) or 'no rest'}: {found[-1]}", flush=True)
    return found


def measure_speeds(pairs: Sequence[Tpcb], opts: argparse.Namespace) -> dict[str, list[float]]:
    """Return the throughput of each root, in turns, all replicas paused."""
    by_name = {pair.name: pair for pair in pairs}
    found: dict[str, list[float]] = {name: [] for name in by_name}
    time.sleep(1.0)
    for number, name in sides.in_turns(list(by_name), opts.rounds):
        found[name].append(by_name[name].speed(opts.seconds))
        print(f"  round {number}, {name}: {found[name][-1]:.0f} tps", flush=True)
    return found


def report_lags(lags: Sequence[tuple[Tpcb, list[Lag]]], rate: int) -> None:
    """Print how late the leaf is."""
    works = [f"{rate} a second"] if rate else []
    print("\n| TPC-B, 4 clients: commit to leaf | load | p50 ms | p99 ms | CPU ms each |")
    print("|---|---|---|---|---|")
    for pair, found in lags:
        for work, lag in zip([*works, "no rest"], found, strict=True):
            print(f"| {pair.name} | {work} | {lag.p50:.1f} | {lag.p99:.1f} | {lag.cpu:.2f} |")


def report_speeds(found: dict[str, list[float]]) -> None:
    """Print medians, and the ratio to no replication."""
    print("\n| TPC-B, 4 clients, on the root | tps | of that without replication |\n|---|---|---|")
    for name, figures in found.items():
        share = f"{sides.ratio(figures, found['none']):.2f}" if "none" in found else ""
        print(f"| {name} | {statistics.median(figures):.0f} | {share} |")
    print(f"\n{os.cpu_count()} cores, synchronous_commit on, fsync off")


if __name__ == "__main__":
    sys.exit(main())
