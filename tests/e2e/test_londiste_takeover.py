# SPDX-License-Identifier: ISC
"""Takeovers of replicated tables under load, with kill -9 of what takes part."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.pgserver import PrivateServer
from tests.fixtures.admin import Ticks
from tests.fixtures.process import Program, Spawn
from tests.fixtures.server import TEMPLATE, MakeServer
from tests.fixtures.wait import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

COUNT = int(os.environ.get("SKYTOOLS_TAKEOVERS", "50"))
LIMIT = 2.0  # s in which writes are refused, in 95 of 100 takeovers
ACCOUNTS = 20
PAUSE = 0.005  # s, of a writer after each transaction
# Words are not unique and tickets neither, on purpose: what comes twice shall be seen.
TABLES = f"""
create table ledger (id bigserial primary key, word text not null, ticket bigint not null);
create sequence ticket;
create table acc (id int primary key, n bigint not null);
insert into acc select n, 0 from generate_series(1, {ACCOUNTS}) n
"""
# A row, a change, and a key that moves; in each transaction the sum of n is the number of rows.
WRITE = """
with new as (insert into ledger (word, ticket) values (%(word)s, nextval('ticket'))
             returning id, ticket),
     moved as (update acc set n = n + 1, id = -id where id in (%(acc)s, -%(acc)s))
select id, ticket from new"""
LEDGER = "select word, id, ticket from ledger order by word, id"
CONTENT = """select (select coalesce(sum(n), 0) from acc) = (select count(*) from ledger),
    (select count(*) from acc)"""
TICK = "select pgq.force_tick('q')"


class Writer(threading.Thread):
    """Writes to whichever node takes it. `known`: word -> (id, ticket) of what was committed.

    A word whose outcome is not known is not written again: it is there once or not at all.
    `refused`: for how long nobody took writes, each time that a node said it was closed.
    """

    def __init__(self, number: int, nodes: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.known: dict[str, tuple[int, int]] = {}
        self.unknown: set[str] = set()
        self.refused: list[float] = []
        self._number = number
        self._nodes = {name: Database(f"writer {name}", at) for name, at in nodes.items()}
        self._ended = threading.Event()

    def run(self) -> None:
        dice, count, since = random.Random(self._number), 0, 0.0
        names = list(self._nodes)
        while not self._ended.wait(PAUSE):
            count += 1
            word = f"{self._number}-{count:07}"
            try:
                db = self._nodes[names[0]]
                self.known[word] = db.query(WRITE, {"word": word, "acc": 1 + dice.randrange(20)})[0]
                db.commit()
            except SkytoolsError as exc:
                if self.known.pop(word, None) or "disallowed" not in str(exc):
                    self.unknown.add(word)
                else:
                    since = since or time.monotonic()
                self._nodes[names[0]].close()
                names.append(names.pop(0))
            else:
                if since:
                    self.refused.append(time.monotonic() - since)
                since = 0.0

    def stop(self) -> None:
        self._ended.set()
        self.join()
        for db in self._nodes.values():
            db.close()


class Drill:
    """Nodes, each on a server of its own, with worker and writers."""

    def __init__(self, folder: Path, spawn: Spawn, make_server: MakeServer) -> None:
        self.folder = folder
        self.spawn = spawn
        self.servers: dict[str, PrivateServer] = {}
        self.dbs: dict[str, Database] = {}
        self.workers: dict[str, Program] = {}
        self.writers: list[Writer] = []
        self._make_server = make_server
        self._ticks: Ticks | None = None

    def node(self, name: str, kind: str, provider: str = "") -> None:
        # What is committed survives kill -9 of the server: that is promised to writers.
        server = self._make_server(name, synchronous_commit="on")
        self.servers[name] = server
        conninfo = server.conninfo(TEMPLATE)
        self.dbs[name] = Database(name, conninfo, autocommit=True)
        (self.folder / f"{name}.ini").write_text(
            f"[londiste]\njob_name = {name}_w\ndb = {conninfo}\nqueue_name = q\n"
            f"pidfile = {self.folder}/{name}.pid\nloop_delay = 0.2\nparallel_copies = 4\n"
            "global_wm_publish_period = 2\nlocal_wm_publish_period = 2\n"
        )
        more = [f"--provider={self.servers[provider].conninfo(TEMPLATE)}"] if provider else []
        self.londiste(name, f"create-{kind}", name, conninfo, *more)

    def londiste(self, name: str, *words: str, code: int = 0) -> str:
        program = self.spawn("londiste", self.folder / f"{name}.ini", *words, cwd=self.folder)
        assert program.wait(300) == code, program.output
        return program.output

    def start(self, name: str) -> None:
        ini = self.folder / f"{name}.ini"
        self.workers[name] = self.spawn("londiste", ini, "worker", cwd=self.folder)

    def fill(self) -> None:
        """Give all nodes the tables, in sync; then start to write."""
        first = next(iter(self.dbs))
        self.dbs[first].execute(TABLES)
        self._ticks = Ticks([db.conninfo for db in self.dbs.values()])
        self._ticks.start()
        for name in self.dbs:
            self.start(name)
            self.londiste(name, "add-seq", "ticket", *(["--create"] if name != first else []))
            create = ["--create-full", "--wait-sync"] if name != first else []
            self.londiste(name, "add-table", "ledger", "acc", *create)
        nodes = {name: db.conninfo for name, db in self.dbs.items()}
        self.writers = [Writer(number, nodes) for number in (1, 2)]
        for one in self.writers:
            one.start()

    @property
    def root(self) -> str:
        """The node that says that it is root; there must be one."""
        query = "select node_name from pgq_node.node_info where node_type = 'root'"
        (found,) = [name for db in self.dbs.values() for (name,) in db.query(query)]
        return str(found)

    @property
    def written(self) -> int:
        return sum(len(one.known) for one in self.writers)

    def take_over(self, new: str, old: str, disturb: Callable[[Program], None] | None) -> None:
        """Run londiste until it has succeeded; `disturb` is called while it runs first."""
        words = ("londiste", self.folder / f"{new}.ini", "takeover", old, "--all", "--timeout=20")
        deadline = time.monotonic() + 180
        while True:
            program = self.spawn(*words, cwd=self.folder)
            if disturb is not None:
                disturb(program)
                disturb = None
            if program.wait(90) == 0:
                break
            assert time.monotonic() < deadline, program.output
        assert self.root == new
        before = self.written
        wait_until(lambda: self.written > before + 50, 60, "nobody can write")

    def disturb(self, dice: random.Random, program: Program) -> None:
        """Kill a worker, a server or the command, at some moment of a takeover."""
        moment = time.monotonic() + dice.uniform(0.2, 1.5)
        wait_until(lambda: time.monotonic() >= moment or not program.running)
        what, name = dice.choice(("worker", "server", "command")), dice.choice(list(self.dbs))
        if what == "command":
            program.signal(signal.SIGKILL)
        elif what == "worker":
            self.workers[name].kill()
            self.start(name)
        else:
            self.kill_server(name)

    def kill_server(self, name: str) -> None:
        self.servers[name].kill()
        self.dbs[name].close()
        self.servers[name].start()

    def verify(self) -> None:
        """Compare each node with what the writers know, row by row."""
        for one in self.writers:
            one.stop()
        known = {word: row for one in self.writers for word, row in one.known.items()}
        unknown = {word for one in self.writers for word in one.unknown}
        root = self.root
        tick = self.dbs[root].value(TICK)
        rows = self.dbs[root].query(LEDGER)
        found = {word: (number, ticket) for word, number, ticket in rows}
        assert len(found) == len(rows), "a row is there twice"
        assert known.items() <= found.items(), "a row was lost, or has another number"
        assert found.keys() - known.keys() <= unknown, "a row that nobody has written"
        for place in (1, 2):
            assert len({row[place] for row in rows}) == len(rows), "a sequence gave a value twice"
        at = "select completed_tick from pgq_node.get_worker_state('q')"
        for name, db in self.dbs.items():
            wait_until(
                lambda name=name, db=db: name == root or db.value(at) > tick,
                120,
                lambda name=name: f"{name}: {self.workers[name].output[-2000:]}",
            )
            assert db.query(LEDGER) == rows, f"{name} is not as the root"
            assert db.query(CONTENT) == [(True, ACCOUNTS)]
            if name != root:
                self.londiste(name, "compare")

    def refused(self) -> list[float]:
        return sorted(span for one in self.writers for span in one.refused)

    def close(self) -> None:
        for one in self.writers:
            if one.is_alive():
                one.stop()
        if self._ticks is not None:
            self._ticks.stop()
        for db in self.dbs.values():
            db.close()


@pytest.fixture
def drill(tmp_path, spawn, make_server):
    made = Drill(tmp_path, spawn, make_server)
    yield made
    made.close()


def tell(spans: list[float]) -> float:
    """Print how long writes were refused; returns what 95 of 100 stay below."""
    p95 = spans[max(int(len(spans) * 0.95) - 1, 0)]
    text = {"times": len(spans), "median": spans[len(spans) // 2], "p95": p95, "most": spans[-1]}
    os.write(1, f"\nwrites refused (s): {json.dumps(text)}\n".encode())
    return p95


def test_takeovers_of_tables_with_kill_9(drill, capsys):
    """No row is lost or doubled, no value of a sequence is given twice, writers wait little."""
    for name in "abc":
        drill.node(name, "branch" if drill.dbs else "root", "a" if drill.dbs else "")
    drill.fill()
    dice = random.Random(50)
    for _ in range(COUNT):
        old = drill.root
        new = dice.choice([name for name in drill.dbs if name != old])
        drill.take_over(new, old, lambda program: drill.disturb(dice, program))
    drill.verify()
    with capsys.disabled():
        assert tell(drill.refused()) <= LIMIT


def test_a_cascade_of_five(drill, capsys):
    """Root, two branches, a leaf below each: takeovers, changes of provider, kill -9."""
    drill.node("root", "root")
    for name in ("left", "right"):
        drill.node(name, "branch", "root")
    drill.node("left_leaf", "leaf", "left")
    drill.node("right_leaf", "leaf", "right")
    drill.fill()
    drill.take_over("left", "root", None)
    drill.londiste("left_leaf", "change-provider", "--provider=right")
    drill.kill_server("right")
    drill.take_over("right", "left", None)
    drill.workers["right_leaf"].kill()
    drill.start("right_leaf")
    drill.londiste("right_leaf", "change-provider", "--provider=root")
    drill.take_over("root", "right", lambda program: program.signal(signal.SIGKILL))
    drill.verify()
    with capsys.disabled():
        tell(drill.refused())
