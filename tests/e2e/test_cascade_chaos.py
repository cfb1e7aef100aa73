# SPDX-License-Identifier: ISC
"""A cascade of three nodes under kill -9: nothing is lost, nothing comes twice."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import pytest

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from tests.fixtures.cascade import add_node, make_root
from tests.fixtures.server import TEMPLATE

WORKER = """
from skytools.pgq import CascadedWorker, run


class Ledger(CascadedWorker):
    def process_event(self, event, target):
        target.execute("insert into ledger values (%s, %s)", (event.id, event.data))


run(Ledger)
"""
LEDGER = "create table ledger (id bigint, data text)"
STEPS = ("cascade-opened", "cascade-applied", "cascade-committed", "cascade-ticked",
         "cascade-told", "cascade-finished")  # fmt: skip
CHAOS_SECONDS = 60
QUIET = "select ev_id, ev_data from pgq.event_template where ev_type = 't' order by 1"


@pytest.fixture
def start(tmp_path, spawn):
    script = tmp_path / "worker.py"
    script.write_text(WORKER, encoding="utf-8")

    def start(node, fault=""):
        ini = tmp_path / f"{node.name}.ini"
        ini.write_text(
            f"[worker]\ndb = {node.db.conninfo}\nqueue_name = q\nconsumer_name = {node.worker}\n"
            "loop_delay = 0.1\nlocal_wm_publish_period = 0.2\nglobal_wm_publish_period = 0.2\n",
            encoding="utf-8",
        )
        env = {"SKYTOOLS_FAULTPOINT": fault} if fault else {}
        return spawn(sys.executable, script, ini, env=env)

    return start


def check(root, branch, leaf, wait_until, programs=()):
    """Wait until the leaf has all, then compare row by row."""
    last = root.events.tick()

    def told():
        return "".join(f"{program}:\n{program.output[-3000:]}\n" for program in programs)

    wait_until(lambda: leaf.state("completed_tick") == last, 300, told)
    wait_until(lambda: root.events.position(branch.worker) == last)
    rows = root.db.query(QUIET)
    assert branch.db.query(QUIET) == rows
    for node in (branch, leaf):
        assert node.db.query("select id, data from ledger order by id") == rows
    return len(rows)


@pytest.mark.parametrize("step", STEPS)
def test_death_of_a_branch_at_each_step(db, make_db, start, wait_until, step):
    root = make_root(db)
    branch = add_node(root, root, make_db(), "branch", "branch")
    leaf = add_node(root, branch, make_db(), "leaf", "leaf")
    for node in (branch, leaf):
        node.db.execute(LEDGER)
    for _ in range(4):
        root.events.insert(10)
        root.events.tick()
    doomed = start(branch, f"{step}:3")
    assert doomed.wait() == -signal.SIGKILL, doomed.output
    start(branch)
    start(leaf)
    assert check(root, branch, leaf, wait_until) == 40


@pytest.mark.slow
def test_chaos(make_server, start, wait_until):
    """Every process and every server is killed at random moments under load."""
    assert run_chaos(make_server, start, wait_until, CHAOS_SECONDS) > 200


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_long_chaos(make_server, start, wait_until):
    """The same for long: SKYTOOLS_FAULT_SECONDS."""
    seconds = float(os.environ.get("SKYTOOLS_FAULT_SECONDS", "600"))
    assert run_chaos(make_server, start, wait_until, seconds) > 20 * seconds


def run_chaos(make_server, start, wait_until, seconds):
    servers = {name: make_server(name) for name in ("root", "branch", "leaf")}
    dbs = {
        name: Database(name, server.conninfo(TEMPLATE), autocommit=True)
        for name, server in servers.items()
    }
    root = make_root(dbs["root"])
    branch = add_node(root, root, dbs["branch"], "branch", "branch")
    leaf = add_node(root, branch, dbs["leaf"], "leaf", "leaf")
    nodes = {"root": root, "branch": branch, "leaf": leaf}
    for node in (branch, leaf):
        node.db.execute(LEDGER)
    running = {name: start(node) for name, node in nodes.items()}
    dice = random.Random(8)
    killed = {"process": 0, "server": 0}
    end = time.monotonic() + seconds
    while time.monotonic() < end or min(killed.values()) < 2:
        calm = time.monotonic() + dice.uniform(0.2, 1.0)
        for _ in range(8):
            try:
                root.events.insert(dice.randint(0, 30))
                root.events.tick()
            except SkytoolsError:
                root.db.close()
        wait_until(lambda until=calm: time.monotonic() >= until)
        name = dice.choice(list(nodes))
        if dice.random() < 0.7:
            running[name].kill()
            running[name] = start(nodes[name])
            killed["process"] += 1
        else:
            servers[name].kill()
            dbs[name].close()
            servers[name].start()
            killed["server"] += 1
    ended = [program.output[-3000:] for program in running.values() if not program.running]
    assert ended == []
    count = check(root, branch, leaf, wait_until, running.values())
    for one in dbs.values():
        one.close()
    return count
