# SPDX-License-Identifier: ISC
"""The two sides of a comparison: Debian's pgq 3.5 in one database, ours in another, one server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "build" / "peers"
QUEUE = "bench"
PAYLOAD = "x" * 100


@dataclass(frozen=True, slots=True)
class Side:
    """How one side does each thing."""

    name: str
    version: str  # of the extension
    ticker: tuple[str, ...]
    consumer: tuple[str, ...]
    remote: tuple[str, ...]  # the consumer that works in another database
    section: str
    library_path: str = ""
    python_path: str = ""

    def environment(self) -> dict[str, str]:
        """Return the environment its programs run in."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        if self.library_path:
            env["LD_LIBRARY_PATH"] = self.library_path
        if self.python_path:
            env["PYTHONPATH"] = self.python_path
        return env


THEIRS = Side(
    name="pgq 3.5",
    version="3.5",
    ticker=(str(PEERS / "usr/bin/pgqd"),),
    consumer=("/usr/bin/python3", str(ROOT / "bench/peer_consumer.py")),
    remote=("/usr/bin/python3", str(ROOT / "bench/peer_remote.py")),
    section="peer",
    library_path=str(PEERS / "usr/lib/x86_64-linux-gnu"),
    python_path=str(PEERS / "usr/lib/python3/dist-packages"),
)
OURS = Side(
    name="ours",
    version="4.0",
    ticker=(str(Path(sys.executable).with_name("pgqd")),),
    consumer=(sys.executable, str(ROOT / "bench/our_consumer.py")),
    remote=(sys.executable, str(ROOT / "bench/our_remote.py")),
    section="ours",
)
SIDES = (THEIRS, OURS)
# What is written without any queue: a table as an event table is, with its index.
PLAIN = Side(name="plain table", version="plain", ticker=(), consumer=(), remote=(), section="")
PLAIN_TABLE = """
    create sequence plain_seq;
    create table plain (
        ev_id bigint not null default nextval('plain_seq'), ev_time timestamptz not null,
        ev_txid bigint not null default txid_current(), ev_owner int, ev_retry int, ev_type text,
        ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text);
    create index on plain (ev_txid)"""


class Bench:
    """One server with a database for each side, and a folder for inis and results."""

    def __init__(self, server: PrivateServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.databases: dict[str, Database] = {}

    def dbname(self, side: Side) -> str:
        """Return the database of a side."""
        return f"bench_{side.version.replace('.', '_')}"

    def fresh(self, side: Side) -> Database:
        """Make the side's database anew, with the extension and one queue."""
        self.drop(side)
        name = self.dbname(side)
        self.server.createdb(name)
        db = Database(side.name, self.server.conninfo(name), autocommit=True)
        if side is PLAIN:
            db.execute(PLAIN_TABLE)
        else:
            db.execute(f"create extension pgq version '{side.version}'")
            db.execute("select pgq.create_queue(%s)", (QUEUE,))
        self.databases[side.name] = db
        return db

    def many(self, side: Side, databases: int, queues: int) -> list[str]:
        """Make databases with so many queues each; return their names. The caller drops them."""
        db = self.fresh(side)
        db.query("select pgq.create_queue('more' || n) from generate_series(2, %s) n", (queues,))
        db.close()
        names = [f"{self.dbname(side)}_{number}" for number in range(databases)]
        for name in names:
            self.server.createdb(name, self.dbname(side))
        return names

    def drop(self, side: Side) -> None:
        """Drop the side's database."""
        if side.name in self.databases:
            self.databases.pop(side.name).close()
        self.server.dropdb(self.dbname(side))

    def ini(self, side: Side, kind: str, section: str, **keys: object) -> Path:
        """Write an ini of one section."""
        path = self.folder / f"{kind}_{side.version}.ini"
        lines = [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    @contextlib.contextmanager
    def program(self, side: Side, *argv: str | Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program of a side for the length of the block; its output goes to a log."""
        log_path = self.folder / f"{side.section}.log"
        with (
            log_path.open("ab") as log,
            subprocess.Popen(argv, env=side.environment(), stdout=log, stderr=log) as process,
        ):
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()

    @contextlib.contextmanager
    def ticker(self, side: Side, **keys: object) -> Iterator[subprocess.Popen[bytes]]:
        """Run the side's ticker on its database."""
        given = {
            "base_connstr": self.server.conninfo(self.dbname(side)).rsplit(" ", 1)[0],
            "database_list": self.dbname(side),
            "syslog": 0,
            "pidfile": self.folder / f"ticker_{side.version}.pid",
            **keys,
        }
        ini = self.ini(side, "ticker", "pgqd", **given)
        with self.program(side, *side.ticker, ini) as process:
            yield process

    def consume(self, side: Side, expect: int, **keys: object) -> Path:
        """Return the result file of a consumer that is run until it saw `expect` events."""
        result, ini = self.consumer_ini(side, expect, **keys)
        with self.program(side, *side.consumer, ini) as process:
            wait_end(process, 300)
        return result

    def consumer_ini(self, side: Side, expect: int, **keys: object) -> tuple[Path, Path]:
        """Return (result file, ini) of a consumer."""
        result = self.folder / f"result_{side.version}"
        result.unlink(missing_ok=True)
        ini = self.ini(
            side,
            "consumer",
            side.section,
            job_name="bench",
            db=self.server.conninfo(self.dbname(side)),
            queue_name=QUEUE,
            result=result,
            expect=expect,
            **keys,
        )
        return result, ini


def wait_end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a consumer's end, polling: the server may be busy with it."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError("the consumer did not come to its end; see its log")
        time.sleep(0.02)
