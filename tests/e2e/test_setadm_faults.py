# SPDX-License-Identifier: ISC
"""kill -9 of setadm after each step of each change: given again, the command completes it."""

from __future__ import annotations

import itertools
import json
import threading

import pytest

from skytools.core.errors import SkytoolsError
from tests.fixtures.admin import some
from tests.fixtures.cascade import Node


class Writer(threading.Thread):
    """Writes numbered events to whichever node is root, and knows which were committed."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.done: list[str] = []
        self._nodes = [type(one.db)(f"writer {one.name}", one.db.conninfo, autocommit=True)
                       for one in site.nodes.values()]  # fmt: skip
        self._ended = threading.Event()

    def run(self):
        place = 0
        for number in itertools.count():
            word = f"{number:06}"
            while not self._ended.wait(0.002):
                try:
                    self._nodes[place].value("select pgq.insert_event('q', 't', %s)", (word,))
                except SkytoolsError:
                    place = (place + 1) % len(self._nodes)
                else:
                    self.done.append(word)
                    break
            if self._ended.is_set():
                return

    def stop(self):
        self._ended.set()
        self.join()
        for db in self._nodes:
            db.close()
        return self.done


@pytest.fixture
def write():
    made = []

    def start(site):
        writer = Writer(site)
        made.append(writer)
        writer.start()
        return writer

    yield start
    for one in made:
        if one.is_alive():
            one.stop()


def test_takeover(make_site, write, wait_until):
    """There and back, dead after one step more each time, while events are written."""
    site = make_site(a=None, b="a", c="b")
    site.tick()
    site.start()
    writer = write(site)
    wait_until(lambda: len(writer.done) > 10)
    old, new = "a", "b"
    number = 0
    while number < len(steps := site.steps(new, "takeover", old)):
        number += some(steps[number:])
        site.killed(new, steps[number], "takeover", old)
        number += 1
        site.setadm(new, "takeover", old)
        assert site.shape() == {old: ("branch", new), new: ("root", new), "c": ("leaf", "b")}
        assert site.subscribers(new) == {old, "c"} - ({"c"} if new == "a" else set())
        old, new = new, old
    site.wait_ledger("c", writer.stop())
    assert site.ledger("c") == sorted(set(site.ledger("c")))
    journal = site.nodes["b"].db.query("select outcome from pgq_node.admin_journal")
    assert {row[0] for row in journal} == {"done", "interrupted"}


def test_takeover_is_taken_back(make_site, write, wait_until):
    """Dead before the point of no return: --abort opens the old root again."""
    site = make_site(branches=("b",), a=None, b="a")
    site.tick()
    site.start()
    writer = write(site)
    wait_until(lambda: len(writer.done) > 10)
    steps = site.steps("b", "takeover", "a")
    for step in steps[steps.index("close") : steps.index("promote")]:
        site.killed("b", step, "takeover", "a")
        assert "CLOSED" in site.setadm("b", "status")
        count = len(writer.done)
        site.setadm("b", "takeover", "a", "--abort")
        wait_until(lambda count=count: len(writer.done) > count + 5)
        assert site.shape() == {"a": ("root", "a"), "b": ("branch", "a")}
        assert site.nodes["a"].state("paused") is False
    site.killed("b", "promote", "takeover", "a")
    done = site.command("b", "takeover", "a", "--abort")
    assert "b is root: give the command again" in done.err
    site.setadm("b", "takeover", "a")
    events = "select ev_data from pgq.event_template where ev_type = 't' order by 1"
    assert [(word,) for word in writer.stop()] == site.nodes["b"].db.query(events)


def test_a_writer_that_does_not_end_stops_no_other_for_longer_than_the_limit(make_site, make_db):
    site = make_site(branches=("b",), a=None, b="a")
    site.tick()
    site.start()
    node = site.nodes["a"]
    site.wait_ledger("b", insert(site, "a", "before"))
    stuck = type(node.db)("stuck", node.db.conninfo)
    stuck.value("select pgq.insert_event('q', 't', 'stuck')")
    done = site.command("b", "takeover", "a", "--timeout=6")
    assert done.code == 1
    assert "still open on a, pid" in done.err
    assert "taken back: close a for writing" in done.out
    assert site.shape() == {"a": ("root", "a"), "b": ("branch", "a")}
    node.db.value("select pgq.insert_event('q', 't', 'after')")
    stuck.commit()
    stuck.close()
    site.wait_ledger("b", ["before", "after", "stuck"])
    assert node.state("paused") is False


def test_create_move_rename_and_drop(make_site, make_db):
    site = make_site(branches=("b", "d"), a=None, b="a", d="b")
    site.tick()
    site.start()
    db = make_db()
    node = Node("c", db, "q")
    site.nodes["c"] = node
    words = ["create-leaf", "c", db.conninfo, "--worker=c_q",
             f"--provider={site.nodes['d'].db.conninfo}"]  # fmt: skip
    site.killed_at_each_step("c", *words)
    assert site.shape()["c"] == ("leaf", "d")
    db.execute("create table ledger (id bigint, data text)").close()
    site.start("c")
    place, other = "b", "d"
    number = 0
    while number < len(steps := site.steps("c", "change-provider", f"--provider={place}")):
        number += some(steps[number:])
        site.killed("c", steps[number], "change-provider", f"--provider={place}")
        number += 1
        site.setadm("c", "change-provider", f"--provider={place}")
        assert site.shape()["c"] == ("leaf", place)
        assert "c" not in site.subscribers(other)
        place, other = other, place
    site.setadm("c", "change-provider", "--provider=d")
    site.killed_at_each_step("b", "rename-node", "d", "delta")
    assert site.shape()["c"] == ("leaf", "delta")
    site.nodes["a"].db.value("select pgq.insert_event('q', 't', 'x')")
    site.wait_ledger("c", ["x"])
    site.workers.pop("c").stop()
    site.killed_at_each_step("c", "drop-node", "c")
    del site.nodes["c"]
    assert site.subscribers("d") == set()
    for name in "abd":
        assert "c" not in {row["node_name"] for row in site.data(name, "members")}


def test_dead_root_and_resurrect(make_site):
    """What only the dead root had is in the file and nowhere else; all others have the rest."""
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="d")
    site.tick()
    site.start()
    sent = insert(site, "a", "1", "2")
    for name in "bcd":
        site.wait_ledger(name, sent)
    site.workers["b"].stop()  # b misses what d gets
    sent += insert(site, "a", "3")
    for name in "cd":
        site.wait_ledger(name, sent)
    for name in "acd":
        site.workers[name].stop()
    lost = insert(site, "a", "lost 1", "lost 2")  # which nobody gets
    site.nodes["a"].events.tick()
    site.nodes["a"].db.value("select pgq.register_consumer('q', 'plain')")
    away = site.nodes["a"].db.conninfo
    for name in "bcd":
        site.start(name)
    break_off(site, "a")
    steps = site.killed_at_each_step("b", "takeover", "a", "--dead-root")
    assert {"dead-on-c", "b-switch", "promote", "d-switch"} <= set(steps)
    shape = site.shape(without="a")
    assert shape == {"b": ("root", "b"), "d": ("branch", "b"), "c": ("leaf", "d")}
    assert site.subscribers("b") == {"a", "d"}
    assert site.subscribers("d") == {"c"}
    site.wait_ledger("b", sent)
    more = insert(site, "b", "4")
    site.wait_ledger("c", sent + more)

    mend(site, "a", away)
    steps = site.killed_at_each_step("a", "resurrect")
    assert {"close", "demote", "dump", "delete", "subscribe"} <= set(steps)
    told = json.loads((site.folder / "resurrect-lost-events.json").read_text())
    assert [one["ev_data"] for one in told if one["ev_type"] == "t"] == lost
    assert set(told[0]) >= {"ev_id", "ev_type", "ev_time", "ev_txid", "tick_id", "prev_tick_id"}
    assert site.shape()["a"] == ("branch", "b")
    assert site.nodes["a"].state("paused") is True
    assert not any(row["dead"] for row in site.data("b", "members"))
    site.start("a")
    site.setadm("a", "resume", "--node=a")
    site.wait_ledger("a", more)
    data = "select ev_data from pgq.event_template where ev_type = 't' order by ev_id"
    queues = [site.nodes[name].db.query(data) for name in "abd"]
    assert queues[0] == queues[1] == queues[2]
    assert site.command("a", "resurrect").code == 1  # moved away, or there is nothing to do


def break_off(site, name):
    """Let a node's database refuse everybody, as if it were gone."""
    db = site.nodes[name].db
    for node in site.nodes.values():
        if node.name != name:
            node.db.value("select 1")
    server = type(db)("server", db.conninfo.replace(f"dbname={db.name}", "dbname=postgres"),
                      autocommit=True)  # fmt: skip
    server.execute(f"alter database {db.name} allow_connections false").close()
    server.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (db.name,)
    )
    server.close()
    db.close()


def mend(site, name, conninfo):
    db = site.nodes[name].db
    server = type(db)("server", conninfo.replace(f"dbname={db.name}", "dbname=postgres"),
                      autocommit=True)  # fmt: skip
    server.execute(f"alter database {db.name} allow_connections true").close()
    server.close()


def insert(site, name, *words):
    for word in words:
        site.nodes[name].db.value("select pgq.insert_event('q', 't', %s)", (word,))
    return list(words)
