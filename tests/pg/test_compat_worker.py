# SPDX-License-Identifier: ISC
"""Cascaded workers of the old API keep branches, leaves and combined queues in step."""

from __future__ import annotations

import logging

import pytest
from pgq.cascade.worker import CascadedWorker

import pgq
from skytools.compat.runtime import Runtime
from skytools.core.errors import SkytoolsError
from tests.fixtures.queue import Queue


class Worker(CascadedWorker):
    die: str = ""

    def process_remote_event(self, src_curs, dst_curs, ev):
        dst_curs.execute("insert into done values (%s)", [ev.data])

    def create_branch_tick(self, dst_db, tick_id, tick_time):
        if self.die == "before tick":
            raise RuntimeError("killed here")
        super().create_branch_tick(dst_db, tick_id, tick_time)

    def finish_batch(self, db, batch_id):
        if self.die == "before finish":
            raise RuntimeError("killed here")
        super().finish_batch(db, batch_id)


class Node:
    """One node of a cascade, with its worker."""

    def __init__(self, db, name, queue):
        self.db = db
        self.name = name
        self.queue = queue
        self.db.execute("create table if not exists done (data text)")

    def call(self, sql, *args):
        row = self.db.query_one(f"select * from pgq_node.{sql}", args)
        assert row[0] < 300, row
        return row

    def locate(self, *nodes):
        for node in nodes:
            args = (self.queue, node.name, node.db.conninfo)
            self.call("register_location(%s, %s, %s, false)", *args)

    def create(self, kind, provider=None, combined=None):
        watermark = None
        self.locate(self)
        if provider:
            self.locate(provider)
            provider.locate(self)
            args = (self.queue, self.name, f"{self.name}_w")
            watermark = provider.call("register_subscriber(%s, %s, %s, null)", *args)[2]
        name = provider.name if provider else None
        args = (self.queue, kind, self.name, f"{self.name}_w", name, watermark, combined)
        self.call("create_node(%s, %s, %s, %s, %s, %s, %s)", *args)

    def done(self):
        return sorted(int(row[0]) for row in self.db.query("select data from done"))

    def events(self):
        return self.db.query(
            """select ev_id, ev_type, ev_data from pgq.event_template t
               join pgq.queue q on t.tableoid::regclass::text like q.queue_data_pfx || '%%'
               where queue_name = %s order by ev_id""",
            (self.queue,),
        )

    def ticks(self):
        return self.db.query(
            """select tick_id, tick_time, tick_event_seq from pgq.tick
               join pgq.queue on queue_id = tick_queue where queue_name = %s order by 1""",
            (self.queue,),
        )


@pytest.fixture
def worker(tmp_path):
    """Make the worker of a node."""
    made = []
    handlers = list(logging.getLogger().handlers)

    def make(node, cls=Worker, **keys):
        given = {
            "node_db": node.db.conninfo, "queue_name": node.queue, "job_name": f"{node.name}_w",
            "loop_delay": 0.01, "local_wm_publish_period": 0, "global_wm_publish_period": 0, **keys,
        }  # fmt: skip
        path = tmp_path / f"{node.name}{len(made)}.ini"
        path.write_text("[w]\n" + "".join(f"{k} = {v}\n" for k, v in given.items()))
        script = cls("w", "node_db", ["-q", str(path)])
        script._runtime = Runtime("", 1.0)
        made.append(script)
        return script

    yield make
    for script in made:
        script.reset()
        script._runtime.signals.close()
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def chain(make_db):
    """Give root, branch and leaf of `q`, which the test ticks at the root."""
    root, branch, leaf = (Node(make_db(), name, "q") for name in ("root", "branch", "leaf"))
    root.create("root")
    branch.create("branch", root)
    leaf.create("leaf", branch)
    return root, branch, leaf


def drain(script):
    while script.work():
        pass


def test_a_branch_is_a_copy_and_a_leaf_follows_it(chain, worker):
    root, branch, leaf = chain
    queue = Queue(root.db, "q")
    workers = [worker(node) for node in (branch, leaf)]
    for count in (3, 1200):
        queue.insert(count)
        queue.tick()
        for script in workers:
            drain(script)
    expected = sorted([*range(1, 4), *range(1, 1201)])
    assert branch.done() == leaf.done() == expected
    assert branch.events() == root.events()
    assert branch.ticks()[-2:] == root.ticks()[-2:]
    top = root.ticks()[-1][0]
    root_worker = worker(root)
    assert root_worker.work() == 0
    watermark = root.db.value(
        "select last_tick from pgq.get_consumer_info('q', '.branch.watermark')"
    )
    assert watermark >= top - 1


@pytest.mark.parametrize("die", ["before tick", "before finish"])
def test_a_branch_killed_at_a_step_goes_on(chain, worker, die):
    root, branch, leaf = chain
    queue = Queue(root.db, "q")
    queue.insert(3)
    queue.tick()
    script = worker(branch)
    script.die = die
    with pytest.raises(RuntimeError):
        drain(script)
    script.reset()  # as the end of the process does
    again = worker(branch)
    drain(again)
    queue.insert(2)
    queue.tick()
    drain(again)
    drain(worker(leaf))
    assert branch.done() == leaf.done() == [1, 1, 2, 2, 3]
    assert branch.events() == root.events()
    assert [t[0] for t in branch.ticks()][-2:] == [t[0] for t in root.ticks()][-2:]


def test_locations_travel_down(chain, worker, make_db):
    root, branch, leaf = chain
    other = Node(make_db(), "other", "q")
    root.locate(other)
    Queue(root.db, "q").tick()
    for node in (branch, leaf):
        drain(worker(node))
        known = {row[0] for row in node.db.query("select * from pgq_node.get_queue_locations('q')")}
        assert {"branch", "leaf", "other"} <= known


def test_partitions_are_merged_into_a_combined_queue(make_db, worker):
    hub_db = make_db()
    hub = Node(hub_db, "hub", "all")
    hub.create("root")
    parts = []
    for number in (1, 2):
        part = Node(make_db(), f"part{number}", f"p{number}")
        part.create("root")
        leaf = Node(hub_db, f"leaf{number}", f"p{number}")
        leaf.create("leaf", part, "all")
        parts.append((part, leaf))
    for part, leaf in parts:
        queue = Queue(part.db, part.queue)
        queue.insert(2)
        queue.tick()
        drain(worker(leaf))
    assert hub.done() == [1, 1, 2, 2]
    kinds = [(kind, data) for _, kind, data in hub.events() if not kind.startswith("pgq.loc")]
    assert kinds == [
        *(("t", "1"), ("t", "2"), ("pgq.tick-id", str(parts[0][0].ticks()[-1][0]))),
        *(("t", "1"), ("t", "2"), ("pgq.tick-id", str(parts[1][0].ticks()[-1][0]))),
    ]


def test_a_partition_waits_behind_the_combined_branch(make_db, worker):
    part = Node(make_db(), "part", "p")
    part.create("root")
    first, second = make_db(), make_db()
    hub = Node(first, "hub", "all")
    hub.create("root")
    copy = Node(second, "copy", "all")
    copy.create("branch", hub)
    leaf, spare = Node(first, "leaf", "p"), Node(second, "spare", "p")
    leaf.create("leaf", part, "all")
    spare.create("leaf", part, "all")
    queue = Queue(part.db, "p")
    queue.insert(2)
    tick = queue.tick()
    behind = worker(spare)
    drain(behind)
    assert queue.position("spare_w") < tick
    drain(worker(leaf))
    Queue(first, "all").tick()
    drain(worker(copy))
    drain(behind)
    assert queue.position("spare_w") == tick
    assert copy.done() == [1, 2]


def test_a_watermark_of_a_subtree_is_refused(chain, worker):
    _, branch, _ = chain
    branch.call("set_node_attrs('q', 'sync_watermark=leaf')")
    with pytest.raises(SkytoolsError, match="sync_watermark"):
        worker(branch).work()


def test_a_helper_copies_and_publishes_nothing(chain, worker):
    class Helper(Worker):
        main_worker = False

        def process_remote_event(self, src_curs, dst_curs, ev):
            if not ev.type.startswith("pgq."):
                super().process_remote_event(src_curs, dst_curs, ev)

    root, branch, _ = chain
    queue = Queue(root.db, "q")
    script = worker(branch, Helper, job_name="helper")
    script.register_consumer(root.db.conninfo)
    queue.insert(2)
    queue.tick()
    drain(script)
    assert branch.done() == [1, 2]
    assert branch.events() == []
    assert isinstance(script, pgq.CascadedConsumer)
