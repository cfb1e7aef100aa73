# SPDX-License-Identifier: ISC
"""Londiste's apply: updates of single rows from a backlog, against built-in and Londiste 3.11.

All sides on one server, alternating. Each has its replica connected and paused while the backlog
is made by pgbench, one update a transaction, with its ticker running; the time is from resuming
to the last row seen on the replica.

    python -m bench.londiste_apply [--rounds 3] [--updates 200000] [--only ours]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.sides import OURS, PEERS, ROOT, THEIRS, Side
from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
}
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


class Pair:
    """A source and a replica, in two databases of the server."""

    def __init__(self, name: str, server: PrivateServer, folder: Path) -> None:
        self.name = name
        self.server = server
        self.folder = folder
        self.stack = contextlib.ExitStack()
        self.root = self._database("root")
        self.leaf = self._database("leaf")

    def _database(self, role: str) -> Database:
        name = f"{self.name}_{role}"
        self.server.createdb(name)
        db = Database(name, self.server.conninfo(name), autocommit=True)
        db.execute(TABLE).close()
        db.execute("vacuum analyze account").close()
        return db

    def start(self) -> None:
        """Make the replica and pause it."""

    def resume(self) -> None:
        """Let the replica go."""

    def stop(self) -> None:
        """Forget it all."""
        self.stack.close()
        for db in (self.leaf, self.root):
            db.close()
        for role in ("leaf", "root"):
            self.server.dropdb(f"{self.name}_{role}")

    def measure(self, updates: int) -> float:
        """Return the seconds that the backlog takes."""
        script = self.folder / "update.sql"
        script.write_text(UPDATE, encoding="utf-8")
        program = self.server.program("pgbench")
        clients = 4
        subprocess.run(
            [program, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-f", script,
             "-t", str(updates // clients), self.root.conninfo],
            capture_output=True, check=True,
        )  # fmt: skip
        self.root.execute("update account set balance = -1 where id = 0").close()
        time.sleep(1.0)  # let tickers and walsenders come to rest
        start = time.perf_counter()
        self.resume()
        self._wait("balance = -1", start)
        taken = time.perf_counter() - start
        self._same()
        return taken

    def _wait(self, condition: str, start: float) -> None:
        while not self.leaf.value(f"select true from account where id = 0 and {condition}"):
            if time.perf_counter() - start > DEADLINE:
                raise TimeoutError(f"{self.name}: not there after {DEADLINE:g} s; see its log")
            time.sleep(0.01)

    def _same(self) -> None:
        query = "select sum(hashtextextended(t::text, 0)) from account t"
        if self.leaf.value(query) != self.root.value(query):
            raise ValueError(f"{self.name}: the replica differs")


class BuiltIn(Pair):
    """Logical replication of the server itself."""

    def start(self) -> None:
        """Publish and subscribe, with an own slot as both are on one server."""
        self.root.execute("create publication pub for table account").close()
        self.slot = self.name
        self.root.execute(
            f"select pg_create_logical_replication_slot('{self.slot}', 'pgoutput')"
        ).close()
        self.leaf.execute(
            f"create subscription sub connection '{self.root.conninfo}' publication pub with"
            f" (slot_name = '{self.slot}', create_slot = false, copy_data = false, enabled = false)"
        ).close()
        self.stack.callback(self._drop)

    def _drop(self) -> None:
        for statement in ("disable", "set (slot_name = none)"):
            self.leaf.execute(f"alter subscription sub {statement}").close()
        self.leaf.execute("drop subscription sub").close()
        deadline = time.monotonic() + 30
        while self.root.value(
            "select active from pg_replication_slots where slot_name = %s", (self.slot,)
        ):
            if time.monotonic() > deadline:
                raise TimeoutError("the slot stays in use")
            time.sleep(0.05)
        self.root.execute(f"select pg_drop_replication_slot('{self.slot}')").close()

    def resume(self) -> None:
        """Let the replica go."""
        self.leaf.execute("alter subscription sub enable").close()


class Londiste(Pair):
    """A root and a leaf of Londiste, ours."""

    side: Side = OURS

    def start(self) -> None:
        """Make root and leaf and start the leaf's worker, paused."""
        for db in (self.root, self.leaf):
            for extension in ("pgq", "pgq_node", "londiste"):
                db.execute(f"create extension {extension} {self._version(extension)}").close()
        self._nodes()
        self.root.execute("select * from londiste.local_add_table('q', 'public.account')").close()
        self.leaf.execute(
            "select * from londiste.local_add_table('q', 'public.account', array['expect_sync'])"
        ).close()
        ticker = self._ini(
            "pgqd",
            base_connstr=self.server.conninfo("x").rsplit(" ", 1)[0],
            database_list=f"{self.name}_root",
            syslog=0,
            pidfile=self.folder / f"{self.name}_ticker.pid",
        )
        self.stack.enter_context(self._program(*self.side.ticker, ticker))
        worker = self._ini(
            "londiste",
            job_name="leaf_w",
            db=self.leaf.conninfo,
            queue_name="q",
            loop_delay=0.1,
            pidfile=self.folder / f"{self.name}_worker.pid",
        )
        self._pause(paused=True)
        self.stack.enter_context(self._program(*self._worker(), worker, "worker"))
        self._acknowledged()

    def _worker(self) -> tuple[str, ...]:
        return (str(Path(sys.executable).with_name("londiste")),)

    def _version(self, extension: str) -> str:
        return ""

    def _nodes(self) -> None:
        calls: list[tuple[Database, str, *tuple[object, ...]]] = [
            (self.root, "register_location", "root", self.root.conninfo, False),
            (self.root, "create_node", "root", "root", "root_w", None, None, None),
            (self.root, "register_location", "leaf", self.leaf.conninfo, False),
            (self.root, "register_subscriber", "leaf", "leaf_w", None),
            (self.leaf, "register_location", "root", self.root.conninfo, False),
            (self.leaf, "register_location", "leaf", self.leaf.conninfo, False),
        ]
        for db, function, *args in calls:
            self._call(db, function, *args)
        mark = self.root.value("select global_watermark from pgq_node.get_node_info('q')")
        self._call(self.leaf, "create_node", "leaf", "leaf", "leaf_w", "root", mark, None)
        self.leaf.execute("select londiste.global_add_table('q', 'public.account')").close()

    @staticmethod
    def _call(db: Database, function: str, *args: object) -> None:
        marks = ", ".join(["%s"] * len(args))
        row = db.query_one(f"select * from pgq_node.{function}('q', {marks})", args)
        if row is None or row[0] >= 400:
            raise ValueError(f"{function}: {row}")

    def _pause(self, *, paused: bool) -> None:
        self._call(self.leaf, "set_consumer_paused", "leaf_w", paused)

    def _acknowledged(self) -> None:
        deadline = time.monotonic() + 60
        while not self.leaf.value("select uptodate from pgq_node.get_worker_state('q')"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: the worker does not answer; see its log")
            time.sleep(0.05)

    def resume(self) -> None:
        """Let the replica go."""
        self._pause(paused=False)

    def _ini(self, section: str, **keys: object) -> Path:
        path = self.folder / f"{self.name}_{section}.ini"
        lines = [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    @contextlib.contextmanager
    def _program(self, *argv: str | Path) -> Iterator[None]:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(argv, env=self.side.environment(), stdout=log, stderr=log)
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


class Londiste3(Londiste):
    """The same with Debian's packages."""

    side = THEIRS

    def _worker(self) -> tuple[str, ...]:
        return (str(PEERS / "usr/bin/londiste"),)

    def _version(self, extension: str) -> str:
        return "version '" + {"pgq": "3.5", "pgq_node": "3.5", "londiste": "3.8"}[extension] + "'"


SIDES: dict[str, type[Pair]] = {"builtin": BuiltIn, "ours": Londiste, "londiste3": Londiste3}


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=200_000)
    parser.add_argument("--only", default="", help="these sides, by commas")
    opts = parser.parse_args()
    wanted = opts.only.split(",") if opts.only else list(SIDES)
    bindir = subprocess.run(
        [ROOT / "bench/peers.sh"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = PrivateServer(folder / "data", Path(bindir), settings=SETTINGS)
    server.initdb()
    server.start()
    try:
        found = run(server, folder, wanted, opts)
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    report(found, opts.updates)
    return 0


def run(
    server: PrivateServer, folder: Path, wanted: list[str], opts: argparse.Namespace
) -> dict[str, list[float]]:
    """Measure all sides in each round; who goes first changes."""
    found: dict[str, list[float]] = {name: [] for name in wanted}
    for number in range(opts.rounds):
        turn = number % len(wanted)
        for name in wanted[turn:] + wanted[:turn]:
            pair = SIDES[name](name, server, folder)
            try:
                pair.start()
                found[name].append(pair.measure(opts.updates))
            except Exception:
                log = folder / f"{name}.log"
                sys.stderr.write(log.read_text()[-3000:] if log.exists() else "")
                raise
            finally:
                pair.stop()
            print(f"  round {number + 1}, {name}: {found[name][-1]:.2f} s", flush=True)
    return found


def report(found: dict[str, list[float]], updates: int) -> None:
    """Print the medians, and how often ours is as fast."""
    print(f"\n| {updates:,} updates of one row, from backlog | seconds | ours is faster by |")
    print("|---|---|---|")
    for name, figures in found.items():
        ratio = ""
        if "ours" in found and name != "ours":
            pairs = zip(figures, found["ours"], strict=True)
            ratio = f"{statistics.median(a / b for a, b in pairs):.2f}"
        print(f"| {name} | {statistics.median(figures):.2f} | {ratio} |")
    print(f"\n{os.cpu_count()} cores, synchronous_commit as the server's tests have it")


if __name__ == "__main__":
    sys.exit(main())
