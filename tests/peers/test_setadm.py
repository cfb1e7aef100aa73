# SPDX-License-Identifier: ISC
"""Our setadm on nodes of pgq_node 3.5 with workers of python3-pgq, alone and among nodes of 4.0."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys

import pytest

from skytools.pgq.admin.program import main
from tests.fixtures.admin import WORKER
from tests.peers.conftest import CLIENTS, PYTHON, peer_env, write_ini
from tests.peers.work import insert, ledger, make_queue

NODES = ("a", "b", "c")
SHORT = {"global_wm_publish_period": 0.2, "local_wm_publish_period": 0.2}


class Mixed:
    """Nodes a (root), b (branch), c (leaf); those in `old` are of 3.5 with a worker of 3.7."""

    def __init__(self, folder, databases, old):
        self.folder = folder
        self.databases = databases
        self.old = old
        self.workers = {}

    def setadm(self, node, *words, code=0):
        ini = write_ini(
            self.folder / f"ours_{node}.ini", "cascade_admin",
            {"node_db": self.databases[node].conninfo, "queue_name": "q"},
        )  # fmt: skip
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            done = main([str(ini), *words])
        assert done == code, out.getvalue() + err.getvalue()
        return out.getvalue() + err.getvalue()

    def theirs(self, run_program, node, *words):
        ini = write_ini(
            self.folder / f"theirs_{node}.ini", "cascade_admin",
            {"job_name": f"setadm_{node}", "node_db": self.databases[node].conninfo,
             "queue_name": "q"},
        )  # fmt: skip
        done = run_program(PYTHON, CLIENTS / "setadm.py", ini, *words, env=peer_env())
        assert done.code == 0, done.out + done.err
        return done.out + done.err

    def shape(self):
        query = "select node_type, provider_node from pgq_node.get_node_info('q')"
        return {name: db.query(query)[0] for name, db in self.databases.items()}

    def wait_ledger(self, wait_until, name, expected):
        db = self.databases[name]

        def told():
            return f"{name}: {len(ledger(db))}\n{self.workers[name].output[-2000:]}"

        wait_until(lambda: len(ledger(db)) >= len(expected), 60, told)
        assert sorted(ledger(db)) == sorted(expected), name


def shown(text):
    """Return the tree without what changes from moment to moment."""
    return re.sub(r"\d+", "N", text).strip()


@pytest.fixture
def mixed(server, make_db, make_old_db, start_peer, spawn, start_pgqd35, tmp_path):
    def make(*old):
        databases = {}
        for name in NODES:
            databases[name] = db = make_old_db() if name in old else make_db()
            if name in old:
                db.execute("create extension pgq_node version '3.5'")
            db.execute("create table ledger (id bigint, data text)")
        made = Mixed(tmp_path, databases, old)
        above = None
        for name, kind in zip(NODES, ("root", "branch", "leaf"), strict=True):
            more = [f"--provider={databases[above].conninfo}"] if above else []
            made.setadm(name, f"create-{kind}", name, databases[name].conninfo,
                        f"--worker={name}_w", *more)  # fmt: skip
            above = name
        make_queue(databases["a"])
        start_pgqd35(server, *(db.name for db in databases.values()))
        script = tmp_path / "ours.py"
        script.write_text(WORKER)
        for name, db in databases.items():
            keys = {"job_name": f"{name}_w", "db": db.conninfo, **SHORT}
            if name in old:
                made.workers[name] = start_peer("worker.py", **keys)
            else:
                ini = write_ini(tmp_path / f"{name}_w.ini", "worker", {"queue_name": "q", **keys})
                made.workers[name] = spawn(sys.executable, script, ini)
        return made

    return make


@pytest.mark.slow
@pytest.mark.parametrize("old", [("a", "b", "c"), ("a",), ("b",)], ids=["all", "root", "branch"])
def test_a_cascade_is_made_and_changed(mixed, old, wait_until, run_program):
    """Made, shown, moved, taken over there and back, by ours; shown by theirs the same."""
    site = mixed(*old)
    a, b = site.databases["a"], site.databases["b"]
    sent = insert(a, 10)
    for name in "bc":
        site.wait_ledger(wait_until, name, sent)
    theirs = shown(site.theirs(run_program, "b", "status"))
    assert "Lag: N" in theirs
    wait_until(lambda: shown(site.setadm("b", "status")) == theirs, 30, theirs)
    site.setadm("c", "change-provider", "--provider=a")
    site.setadm("c", "pause")
    site.setadm("c", "resume")
    assert site.shape()["c"] == ("leaf", "a")
    told = json.loads(site.setadm("b", "--json", "takeover", "a", "--all"))
    assert told["downtime"] > 0
    assert site.shape() == {"a": ("branch", "b"), "b": ("root", "b"), "c": ("leaf", "b")}
    sent += insert(b, 10, first=11)
    site.wait_ledger(wait_until, "c", sent)
    site.wait_ledger(wait_until, "a", sent[10:])
    site.setadm("a", "takeover", "b")
    assert site.shape() == {"a": ("root", "a"), "b": ("branch", "a"), "c": ("leaf", "b")}
    sent += insert(a, 10, first=21)
    site.wait_ledger(wait_until, "c", sent)
    if "b" in old:
        refused = site.setadm("a", "rename-node", "c", "z", code=1)
        assert "node b: its pgq_node cannot rename; run there: alter extension" in refused
    site.setadm("a", "drop-node", "c")
    assert {row[0] for row in a.query("select node_name from pgq_node.get_queue_locations('q')")} \
        == {"a", "b"}  # fmt: skip
