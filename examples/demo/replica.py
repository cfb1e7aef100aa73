# SPDX-License-Identifier: ISC
"""The part of Londiste: a shop gets a replica on the other server, and the two change places.

Runs beside the load, in databases of its own on the same two servers, as jobs of the same manager.
A writer sells all the time; when the root refuses to be written to, it goes to the other node.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.pgserver import PrivateServer

DATABASE = "shop"
QUEUE = "shop"
NODES = ("left", "right")
PATIENCE = 120.0
AROUND = 2.0  # seconds of selling before the takeover, and after it
PAUSE = 0.01
RETRY = 0.02

TABLES = """
create table sale (id bigint primary key, item int not null, at timestamptz not null default now());
create table stock (item int primary key, sold bigint not null default 0);
insert into stock (item) select n from generate_series(0, 9) n;
insert into sale (id, item) select -n, n % 10 from generate_series(1, 20000) n;
"""
# Asked again after a connection was lost at commit, it finds its row.
SELL = """
with sold as (insert into sale (id, item) values (%(id)s, %(id)s %% 10) on conflict do nothing
    returning item)
update stock set sold = sold + 1 from sold where stock.item = sold.item
"""
CONTENT = """
select (select coalesce(md5(string_agg(s::text, '' order by id)), '') from sale s),
    (select coalesce(md5(string_agg(s::text, '' order by item)), '') from stock s)
"""

TICKER_INI = """\
[pgqd]
job_name = {node}_ticker
base_connstr = {base}
database_list = shop
"""
NODE_INI = """\
[londiste]
job_name = {node}
db = {conninfo}
queue_name = shop
"""


@dataclass(frozen=True)
class Outcome:
    """What came of it; `error` is empty when it went to its end. Durations in seconds."""

    sync: float = 0.0
    pause: float = 0.0
    sold: int = 0
    missing: int = 0
    equal: bool = False
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether every acknowledged row is on both nodes, and these are equal."""
        return not self.error and self.missing == 0 and self.equal

    def __str__(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        return (
            f"in sync after {self.sync:.1f} s; the nodes changed places, {self.pause:.2f} s without"
            f" writes; {self.sold} rows acknowledged, {self.missing} missing,"
            f" tables {'equal' if self.equal else 'NOT EQUAL'}"
        )


class Seller(threading.Thread):
    """Writes ids one by one to whichever node takes them."""

    def __init__(self, databases: Sequence[Database]) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[int] = set()
        self.longest = 0.0
        self.root = 0
        self.halt = threading.Event()
        self._databases = databases

    def run(self) -> None:
        """Sell until told to halt; an id that was not acknowledged is tried again."""
        number, last = 1, time.monotonic()
        while not self.halt.is_set():
            try:
                self._databases[self.root].execute(SELL, {"id": number})
            except SkytoolsError:
                self.root = 1 - self.root
                self.halt.wait(RETRY)
                continue
            self.acknowledged.add(number)
            self.longest = max(self.longest, time.monotonic() - last)
            number, last = number + 1, time.monotonic()
            self.halt.wait(PAUSE)


class ReplicaShow:
    """One run, in a thread. `stage` tells where it is."""

    def __init__(
        self, state: Path, servers: Sequence[PrivateServer], environment: dict[str, str]
    ) -> None:
        self.stage = "not yet begun"
        self.outcome: Outcome | None = None
        self._state = state
        self._servers = servers
        self._env = environment
        self._databases = [
            Database(node, server.conninfo(DATABASE), autocommit=True)
            for node, server in zip(NODES, servers, strict=True)
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin; the manager must run."""
        self._thread.start()

    def finish(self, timeout: float) -> Outcome:
        """Wait for the outcome."""
        self._thread.join(timeout)
        return self.outcome or Outcome(error=f"had not ended: {self.stage}")

    def close(self) -> None:
        """End it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        for database in self._databases:
            database.close()

    def _run(self) -> None:
        try:
            self.outcome = self._show()
        except (SkytoolsError, OSError) as exc:
            self.outcome = Outcome(error=str(exc))
        self.stage = str(self.outcome)

    def _show(self) -> Outcome:
        self.stage = "a shop and an empty node"
        for server in self._servers:
            server.createdb(DATABASE)
        self._databases[0].execute(TABLES)
        self._make_nodes()
        self.stage = "the replica is filled"
        began = time.monotonic()
        self._londiste("left", "add-table", "--all")
        self._londiste("right", "add-table", "--all", "--create", "--wait-sync")
        synced = time.monotonic() - began
        seller = Seller([self._writer(server) for server in self._servers])
        seller.start()
        try:
            self.stage = "writing to the root"
            self._stop.wait(AROUND)
            self.stage = "takeover: the replica becomes the root"
            self._londiste("right", "takeover", "left", "--timeout", str(int(PATIENCE)))
            self.stage = "writing to the new root"
            self._stop.wait(AROUND)
        finally:
            seller.halt.set()
            seller.join(PATIENCE)
        equal = self._equal()
        missing = max(len(seller.acknowledged - self._sold(node)) for node in self._databases)
        return Outcome(synced, seller.longest, len(seller.acknowledged), missing, equal)

    def _writer(self, server: PrivateServer) -> Database:
        return Database("shop", server.conninfo(DATABASE), autocommit=True)

    def _make_nodes(self) -> None:
        jobs = self._state / "jobs"
        left, right = (server.conninfo(DATABASE) for server in self._servers)
        for node, conninfo in zip(NODES, (left, right), strict=True):
            (self._state / f"{node}.ini").write_text(NODE_INI.format(node=node, conninfo=conninfo))
        self._londiste("left", "create-root", "left", left)
        self._londiste("right", "create-branch", "right", right, f"--provider={left}")
        for node, conninfo in zip(NODES, (left, right), strict=True):
            base = conninfo.rsplit(" dbname=", 1)[0]
            (jobs / f"{node}_ticker.ini").write_text(TICKER_INI.format(node=node, base=base))
            (jobs / f"{node}.ini").write_text((self._state / f"{node}.ini").read_text())
        self._program("scriptmgr", self._state / "scriptmgr.ini", "update")

    def _londiste(self, node: str, *words: str) -> None:
        self._program("londiste", self._state / f"{node}.ini", *words)

    def _program(self, name: str, ini: Path, *words: str) -> None:
        """Run a command; again when it fails, as somebody may be killing servers."""
        deadline = time.monotonic() + PATIENCE
        while (error := self._try(name, ini, words)) and time.monotonic() < deadline:
            self._stop.wait(1)
        if error:
            raise SkytoolsError(error)

    def _try(self, name: str, ini: Path, words: Sequence[str]) -> str:
        if self._stop.is_set():
            raise SkytoolsError("interrupted")
        done = subprocess.run(
            [str(Path(sys.executable).with_name(name)), str(ini), *words], cwd=self._state,
            env=self._env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with (self._state / "log" / "replica.log").open("a") as log:
            log.write(f"{name} {' '.join(words)}\n{done.stdout}{done.stderr}")
        if done.returncode == 0:
            return ""
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return f"{name} {words[0]}: {' '.join(last)}"

    def _equal(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            left, right = (node.query_one(CONTENT) for node in self._databases)
            if left == right:
                return True
            self._stop.wait(0.1)
        return False

    def _sold(self, node: Database) -> set[int]:
        return {row[0] for row in node.query("select id from sale where id > 0")}
