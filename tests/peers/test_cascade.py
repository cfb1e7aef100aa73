# SPDX-License-Identifier: ISC
"""A cascade of pgq_node 4.0 that is made, worked and changed by python3-pgq 3.7."""

from __future__ import annotations

import random

import pytest

from tests.peers.conftest import CLIENTS, PYTHON, peer_env, write_ini
from tests.peers.work import insert, ledger, make_queue

NODES = ("root", "branch", "leaf")
SHORT = {"global_wm_publish_period": 0.2, "local_wm_publish_period": 0.2}


class Cascade:
    """root -> branch -> leaf, a database and a worker each."""

    def __init__(self, make_db, start_peer, run_program, folder):
        self.databases = {name: make_db() for name in NODES}
        self.workers = {}
        self._start_peer = start_peer
        self._run = run_program
        self._folder = folder
        for db in self.databases.values():
            db.execute("create table ledger (id bigint, data text)")

    def setadm(self, node, *words):
        """Run the admin program on one node's database; it must succeed."""
        ini = write_ini(
            self._folder / f"setadm_{node}.ini",
            "cascade_admin",
            {"job_name": f"setadm_{node}", "node_db": self.databases[node].conninfo,
             "queue_name": "q"},
        )  # fmt: skip
        done = self._run(PYTHON, CLIENTS / "setadm.py", ini, *words, env=peer_env())
        assert done.code == 0, done.out + done.err
        return done.out + done.err

    def create(self):
        above = None
        for name, db in self.databases.items():
            more = [f"--provider={above.conninfo}"] if above else []
            self.setadm(name, f"create-{name}", name, db.conninfo, f"--worker={name}_w", *more)
            above = db

    def start(self, name):
        self.workers[name] = self._start_peer(
            "worker.py", job_name=f"{name}_w", db=self.databases[name].conninfo, **SHORT
        )
        return self.workers[name]

    def log(self, name):
        return self.workers[name].output[-2000:]

    def wait_ledgers(self, expected, wait_until, nodes=("branch", "leaf")):
        for name in nodes:
            db = self.databases[name]
            wait_until(
                lambda db=db: len(ledger(db)) >= len(expected),
                60,
                lambda db=db, name=name: (
                    f"{name}: {len(ledger(db))}\n{self.workers[name].output[-2000:]}"
                ),
            )
            assert sorted(ledger(db)) == sorted(expected), name


@pytest.fixture
def cascade(server, make_db, start_peer, run_program, start_pgqd35, tmp_path):
    made = Cascade(make_db, start_peer, run_program, tmp_path)
    made.create()
    make_queue(made.databases["root"])  # there already; sets its ticks
    start_pgqd35(server, *(db.name for db in made.databases.values()))
    for name in NODES:
        made.start(name)
    return made


@pytest.mark.slow
def test_workers_killed_at_random_copy_a_queue(cascade, wait_until):
    """The branch has the events, ids and ticks of the root; the leaf reads them there."""
    root, branch = cascade.databases["root"], cascade.databases["branch"]
    dice = random.Random(3)
    sent = []
    for _ in range(8):
        for _ in range(5):
            sent += insert(root, dice.randint(1, 50), first=len(sent) + 1)
        some = dice.randint(len(sent) // 2, len(sent))
        wait_until(lambda some=some: len(ledger(branch)) >= some, 60)
        name = dice.choice(NODES)
        cascade.workers[name].kill()
        cascade.start(name)
    cascade.wait_ledgers(sent, wait_until)
    events = "select ev_id, ev_time, ev_type, ev_data from pgq.event_template order by ev_id"
    copied = [row for row in branch.query(events) if not row[2].startswith("pgq.")]
    assert copied == [row for row in root.query(events) if not row[2].startswith("pgq.")]
    ticks = "select tick_id, tick_time from pgq.tick where tick_id > 1"  # 1 is of its creation
    assert set(branch.query(ticks)) <= set(root.query(ticks))
    # the watermark goes up from the leaf and comes down again
    wait_until(
        lambda: all(
            db.value("select global_watermark > 1 from pgq_node.get_node_info('q')")
            for db in (root, branch)
        ),
        60,
        "the global watermark to move",
    )


@pytest.mark.slow
def test_the_shape_of_a_cascade_is_changed(cascade, wait_until):
    """pause, resume, change-provider, drop-node. Takeover needs londiste; see there."""
    root, branch = cascade.databases["root"], cascade.databases["branch"]
    sent = insert(root, 10)
    cascade.wait_ledgers(sent, wait_until)
    status = cascade.setadm("leaf", "status")
    assert all(name in status for name in NODES), status
    cascade.setadm("leaf", "--node=leaf", "pause")
    cascade.setadm("leaf", "--node=leaf", "resume")
    cascade.setadm("leaf", "--node=leaf", "--provider=root", "change-provider")
    sent += insert(root, 10, first=11)
    cascade.wait_ledgers(sent, wait_until)
    cascade.setadm("leaf", "drop-node", "leaf")
    cascade.workers["leaf"].kill()
    for db in (root, branch):
        assert db.query("select node_name from pgq_node.get_queue_locations('q') order by 1") == [
            ("branch",),
            ("root",),
        ]
