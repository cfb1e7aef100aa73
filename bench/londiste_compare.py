# SPDX-License-Identifier: ISC
"""compare and repair of a large table, beside Debian's londiste 3.11, in one run.

    python -m bench.londiste_compare [--rows N] [--rounds N]

Each side has its own pair of databases on one server, its own SQL (3.8 and 4.0), ticker and
worker; those of the other are idle while one is measured. Times are of the whole command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.londiste_sides import times_of
from bench.sides import PEERS, ROOT
from skytools.core import processes
from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
WRONG = 40
TABLE = """
create table t (id bigint primary key, name text, val int, ts timestamptz, pad text);
insert into t select n, 'name ' || n, n % 1000, '2020-01-01'::timestamptz + n * interval '1 s',
       repeat('x', 30) from generate_series(1, {rows}) n;
vacuum analyze t
"""


class Side:
    """One implementation on a root and a leaf; `last_cpu` of the command that was run last."""

    last_cpu = 0.0

    def __init__(self, name: str, server: PrivateServer, folder: Path, bin_path: Path) -> None:
        self.name = name
        self.server = server
        self.folder = folder
        self.bin = bin_path
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.python: list[str] = []
        if name == "3.11":
            self.env["LD_LIBRARY_PATH"] = str(PEERS / "usr/lib/x86_64-linux-gnu")
            self.env["PYTHONPATH"] = str(PEERS / "usr/lib/python3/dist-packages")
            self.python = ["/usr/bin/python3"]
        self.nodes = {kind: f"{kind}_{name.replace('.', '_')}" for kind in ("root", "leaf")}

    def conninfo(self, kind: str) -> str:
        """Return the connect string of a node."""
        return self.server.conninfo(self.nodes[kind])

    def sql(self, kind: str, *statements: str) -> None:
        """Run statements, each by itself, in a database of this side."""
        db = Database(kind, self.conninfo(kind), autocommit=True)
        for statement in statements:
            for one in statement.split(";"):
                if one.strip():
                    db.execute(one).close()
        db.close()

    def cpu(self) -> float:
        """Return the CPU seconds of programs that have ended, and of the server, so far."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = used.ru_utime + used.ru_stime
        postmaster = self.server.pid
        assert postmaster is not None
        ticks = sum(times_of(postmaster))
        ticks += sum(sum(times_of(pid)[:2]) for pid in processes.descendants([postmaster]))
        return seconds + ticks / os.sysconf("SC_CLK_TCK")

    def londiste(self, kind: str, *words: str, ok: tuple[int, ...] = (0,)) -> tuple[float, str]:
        """Run a command; returns (seconds, output)."""
        argv = [*self.python, str(self.bin / "londiste"), str(self.folder / f"{kind}.ini"), *words]
        started, cpu = time.monotonic(), self.cpu()
        done = subprocess.run(
            argv, env=self.env, capture_output=True, text=True, cwd=self.folder, check=False
        )
        seconds = time.monotonic() - started
        self.last_cpu = self.cpu() - cpu
        if done.returncode not in ok:
            raise RuntimeError(f"{argv}: {done.stdout}{done.stderr}")
        return seconds, done.stdout + done.stderr

    def prepare(self, rows: int) -> None:
        """Make databases, nodes, and the table with equal rows on both."""
        self.folder.mkdir()
        versions = {"pgq": "3.5", "pgq_node": "3.5", "londiste": "3.8"}
        for kind in self.nodes:
            self.server.createdb(self.nodes[kind])
            for extension, version in versions.items():
                tail = f" version '{version}'" if self.name == "3.11" else ""
                self.sql(kind, f"create extension {extension}{tail}")
            self.sql(kind, TABLE.format(rows=rows))
            keys = {"job_name": kind, "db": self.conninfo(kind), "queue_name": "q",
                    "pidfile": self.folder / f"{kind}.pid", "loop_delay": 0.2}  # fmt: skip
            lines = ["[londiste]", *(f"{key} = {value}" for key, value in keys.items())]
            (self.folder / f"{kind}.ini").write_text("\n".join(lines) + "\n")
        self.londiste("root", "create-root", "root", self.conninfo("root"))
        self.londiste(
            "leaf", "create-leaf", "leaf", self.conninfo("leaf"),
            f"--provider={self.conninfo('root')}",
        )  # fmt: skip
        self.londiste("root", "add-table", "t")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run ticker and worker."""
        ini = self.folder / "pgqd.ini"
        base = self.conninfo("root").rsplit(" ", 1)[0]
        ini.write_text(f"[pgqd]\nbase_connstr = {base}\ndatabase_list = {self.nodes['root']}\n"
                       f"syslog = 0\npidfile = {self.folder}/pgqd.pid\n")  # fmt: skip
        programs = [
            [str(self.bin / "pgqd"), str(ini)],
            [*self.python, str(self.bin / "londiste"), str(self.folder / "leaf.ini"), "worker"],
        ]
        log = (self.folder / "log").open("ab")
        started = [subprocess.Popen(one, env=self.env, stdout=log, stderr=log) for one in programs]
        try:
            yield
        finally:
            for one in started:
                one.terminate()
                one.wait(30)
            log.close()

    def damage(self) -> None:
        """Make rows of the leaf wrong: some changed, some lost, some too many."""
        self.sql(
            "leaf",
            "set session_replication_role to replica",
            f"update t set name = 'wrong' where id in (select n * 997 from generate_series(1,"
            f" {WRONG - 20}) n)",
            "delete from t where id in (select n * 991 from generate_series(101, 110) n)",
            "insert into t select -n, 'extra' from generate_series(1, 10) n",
        )


def subscribe(side: Side) -> None:
    """Add the table to the leaf, as soon as that knows of it."""
    deadline = time.monotonic() + 60
    while "added" not in side.londiste("leaf", "add-table", "t", "--expect-sync", ok=(0, 1))[1]:
        if time.monotonic() > deadline:
            raise TimeoutError("the leaf does not learn of the table")
        time.sleep(0.5)


def measure(side: Side) -> tuple[float, ...]:
    """Return seconds of one compare and one repair, then CPU seconds of both, server included."""
    compare = side.londiste("leaf", "compare", "t")[0]
    compare_cpu = side.last_cpu
    side.damage()
    repair, text = side.londiste("leaf", "repair", "--apply", "t")
    if "10 inserts, 20 updates, 10 deletes" not in text:
        raise RuntimeError(text)
    return compare, repair, compare_cpu, side.last_cpu


def moved(side: Side) -> int:
    """Return how many bytes our repair moves."""
    side.damage()
    done = side.londiste("leaf", "repair", "--apply", "t", "--json", "-q")[1]
    return int(json.loads(done)[0]["bytes_moved"])


def main() -> int:
    """Measure both sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    opts = parser.parse_args()
    bindir = subprocess.run(
        [ROOT / "bench/peers.sh", "compare"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = PrivateServer(folder / "data", Path(bindir), settings=SETTINGS)
    server.initdb()
    server.start()
    try:
        theirs = Side("3.11", server, folder / "theirs", PEERS / "usr/bin")
        ours = Side("ours", server, folder / "ours", Path(sys.executable).parent)
        sides = (theirs, ours)
        for side in sides:
            side.prepare(opts.rows)
        with theirs.running(), ours.running():
            for side in sides:
                subscribe(side)
            rounds = []
            for number in range(opts.rounds):
                # Who goes first changes, so that a drift of the machine favours nobody.
                order = sides if number % 2 == 0 else sides[::-1]
                seen = {side.name: measure(side) for side in order}
                rounds.append((seen["3.11"], seen["ours"]))
            report(rounds, opts.rows, moved(ours))
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(Path(bindir).parents[4], ignore_errors=True)
    return 0


Round = tuple[tuple[float, ...], tuple[float, ...]]
WORKS = ("compare", f"repair of {WRONG}", "compare, CPU", f"repair of {WRONG}, CPU")


def report(rounds: list[Round], rows: int, size: int) -> None:
    """Print medians, and the median of the rounds' ratios."""
    print(f"| {rows} rows | 3.11, s | ours, s | ours / 3.11 |\n|---|---|---|---|")
    for number, work in enumerate(WORKS):
        theirs = [one[0][number] for one in rounds]
        ours = [one[1][number] for one in rounds]
        ratio = statistics.median(b / a for a, b in zip(theirs, ours, strict=True))
        middle = statistics.median
        print(f"| {work} | {middle(theirs):.2f} | {middle(ours):.2f} | {ratio:.2f} |")
    print(f"\nour repair moved {size} bytes; that of 3.11 moves both tables whole")


if __name__ == "__main__":
    sys.exit(main())
