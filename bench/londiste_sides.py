# SPDX-License-Identifier: ISC
"""Sides of Londiste's benchmarks: a source and a replica each, in two databases of one server.

Built-in logical replication, ours, and Londiste 3.11 of Debian's packages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench.sides import OURS, PEERS, ROOT, THEIRS, Side
from skytools.core import processes
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
OLD_VERSIONS = {"pgq": "3.5", "pgq_node": "3.5", "londiste": "3.8"}


class Pair:
    """A source and a replica. `schema` makes the tables, `tables` are their names."""

    schema: ClassVar[str] = ""
    tables: ClassVar[tuple[str, ...]] = ()

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
        self.make_tables(db)
        return db

    def make_tables(self, db: Database) -> None:
        """Make the tables, in source and replica alike."""
        db.execute(self.schema).close()
        for table in self.tables:
            db.execute(f"vacuum analyze {table}").close()

    def start(self) -> None:
        """Make the replica and pause it."""

    def resume(self) -> None:
        """Let the replica go."""

    def pause(self) -> None:
        """Have the replica wait."""

    def stop(self) -> None:
        """Forget it all."""
        self.stack.close()
        for db in (self.leaf, self.root):
            db.close()
        for role in ("leaf", "root"):
            self.server.dropdb(f"{self.name}_{role}")

    def pgbench(self, *options: str | Path, clients: int = 4) -> str:
        """Run pgbench on the source; returns what it says."""
        return subprocess.run(
            [self.server.program("pgbench"), "-n", "-M", "prepared", "-c", str(clients),
             "-j", "2", *options, self.root.conninfo],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    def fail_with_log(self) -> None:
        """Show the end of the log of the programs."""
        log = self.folder / f"{self.name}.log"
        sys.stderr.write(log.read_text()[-3000:] if log.exists() else "")


class BuiltIn(Pair):
    """Logical replication of the server itself; `options` of the subscription."""

    options: ClassVar[str] = ", copy_data = false, enabled = false"

    def start(self) -> None:
        """Publish and subscribe, with an own slot as both are on one server."""
        published = f" for table {', '.join(self.tables)}" if "copy_data" in self.options else ""
        self.root.execute(f"create publication pub{published}").close()
        self.slot = self.name
        self.root.execute(
            f"select pg_create_logical_replication_slot('{self.slot}', 'pgoutput')"
        ).close()
        self.leaf.execute(
            f"create subscription sub connection '{self.root.conninfo}' publication pub with"
            f" (slot_name = '{self.slot}', create_slot = false{self.options})"
        ).close()
        self.stack.callback(self._drop)

    def _drop(self) -> None:
        for statement in ("disable", "set (slot_name = none)"):
            self.leaf.execute(f"alter subscription sub {statement}").close()
        self.leaf.execute("drop subscription sub").close()
        self._until_idle()
        self.root.execute(f"select pg_drop_replication_slot('{self.slot}')").close()

    def _until_idle(self) -> None:
        query = "select active from pg_replication_slots where slot_name = %s"
        wait(lambda: not self.root.value(query, (self.slot,)), 30, "the slot stays in use")

    def resume(self) -> None:
        """Let the replica go."""
        self.leaf.execute("alter subscription sub enable").close()

    def pause(self) -> None:
        """Have the replica wait."""
        self.leaf.execute("alter subscription sub disable").close()
        self._until_idle()


class Londiste(Pair):
    """A root and a leaf of Londiste, ours."""

    side: ClassVar[Side] = OURS
    versions: ClassVar[Mapping[str, str]] = {}
    program: ClassVar[str] = str(Path(sys.executable).with_name("londiste"))

    def start(self) -> None:
        """Make root and leaf and start ticker and worker, paused."""
        self.make_nodes()
        for table in self.tables:
            name = f"public.{table}"
            self.leaf.execute(
                "select * from londiste.local_add_table('q', %s, array['expect_sync'])", (name,)
            ).close()
        self.call(self.leaf, "set_consumer_paused", "leaf_w", True)
        self.run_programs(loop_delay=0.1)

    def make_nodes(self) -> None:
        """Make root and leaf; the root has the tables, the leaf knows of them."""
        for db in (self.root, self.leaf):
            for extension in OLD_VERSIONS:
                version = self.versions.get(extension)
                tail = f" version '{version}'" if version else ""
                db.execute(f"create extension {extension}{tail}").close()
        for node, function, *args in (
            (self.root, "register_location", "root", self.root.conninfo, False),
            (self.root, "create_node", "root", "root", "root_w", None, None, None),
            (self.root, "register_location", "leaf", self.leaf.conninfo, False),
            (self.root, "register_subscriber", "leaf", "leaf_w", None),
            (self.leaf, "register_location", "root", self.root.conninfo, False),
            (self.leaf, "register_location", "leaf", self.leaf.conninfo, False),
        ):
            self.call(node, function, *args)
        mark = self.root.value("select global_watermark from pgq_node.get_node_info('q')")
        self.call(self.leaf, "create_node", "leaf", "leaf", "leaf_w", "root", mark, None)
        for table in self.tables:
            name = f"public.{table}"
            self.root.execute("select * from londiste.local_add_table('q', %s)", (name,)).close()
            self.leaf.execute("select londiste.global_add_table('q', %s)", (name,)).close()

    def run_programs(self, **keys: object) -> None:
        """Run ticker and worker until stop(); `keys` are those of the worker's ini."""
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
            pidfile=self.folder / f"{self.name}_worker.pid",
            **keys,
        )
        self.stack.enter_context(self._program(self.program, worker, "worker"))
        self._acknowledged()

    @staticmethod
    def call(db: Database, function: str, *args: object) -> None:
        """Call a function of pgq_node. Raises ValueError when it refuses."""
        marks = ", ".join(["%s"] * len(args))
        row = db.query_one(f"select * from pgq_node.{function}('q', {marks})", args)
        if row is None or row[0] >= 400:
            raise ValueError(f"{function}: {row}")

    def _acknowledged(self) -> None:
        query = "select uptodate from pgq_node.get_worker_state('q')"
        wait(lambda: self.leaf.value(query), 60, f"{self.name}: the worker does not answer")

    def resume(self) -> None:
        """Let the replica go."""
        self.call(self.leaf, "set_consumer_paused", "leaf_w", False)

    def pause(self) -> None:
        """Have the replica wait."""
        self.call(self.leaf, "set_consumer_paused", "leaf_w", True)
        self._acknowledged()

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

    side: ClassVar[Side] = THEIRS
    versions: ClassVar[Mapping[str, str]] = OLD_VERSIONS
    program: ClassVar[str] = str(PEERS / "usr/bin/londiste")


@contextlib.contextmanager
def bench_server(name: str, settings: Mapping[str, str]) -> Iterator[tuple[PrivateServer, Path]]:
    """Give a server that has the extensions of both, and a folder; both go at the end."""
    bindir = subprocess.run(
        [ROOT / "bench/peers.sh", name], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = PrivateServer(folder / "data", Path(bindir), settings=settings)
    try:
        server.initdb()
        server.start()
        yield server, folder
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(Path(bindir).parents[4], ignore_errors=True)


def in_turns(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Give (number of the round from 1, name): who goes first changes, as a machine drifts."""
    for number in range(rounds):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            yield number + 1, name


def ratio(figures: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(figures, others, strict=True))


def wait(condition: Callable[[], object], seconds: float, fault: str, pause: float = 0.05) -> None:
    """Wait until something holds. Raises TimeoutError with `fault`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(fault)
        time.sleep(pause)


def cpu_seconds(server: PrivateServer) -> float:
    """Return the CPU seconds of the server and of all programs of this one, so far."""
    assert server.pid is not None
    ours = processes.descendants([os.getpid()])
    ticks = sum(sum(times_of(pid)[:2]) for pid in ours)
    ticks += sum(times_of(server.pid)[2:])  # of the server's processes that have ended
    return ticks / os.sysconf("SC_CLK_TCK")


def times_of(pid: int) -> list[int]:
    """Return utime, stime, and those of reaped children, in clock ticks; [] when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(field) for field in text.rpartition(")")[2].split()[11:15]]
