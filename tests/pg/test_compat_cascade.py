# SPDX-License-Identifier: ISC
"""A cascaded consumer of the old API: it follows its node."""

from __future__ import annotations

import logging

import pytest

import pgq
from skytools.compat.runtime import Runtime
from skytools.core.errors import LostPosition
from tests.fixtures.queue import Queue


class Follower(pgq.CascadedConsumer):
    seen: tuple[str, ...] = ()
    fail = False

    def process_remote_event(self, src_curs, dst_curs, ev):
        if ev.type.startswith("pgq."):
            super().process_remote_event(src_curs, dst_curs, ev)
            return
        dst_curs.execute("insert into done values (%s)", [ev.data])

    def finish_batch(self, db, batch_id):
        if self.fail:
            raise RuntimeError("killed here")
        super().finish_batch(db, batch_id)


class Node:
    """One node of a cascade of `q`."""

    def __init__(self, make_db, name):
        self.db = make_db()
        self.name = name
        self.db.execute("create extension if not exists pgq_node")
        self.db.execute("create table done (data text)")

    def locate(self, *nodes):
        for node in nodes:
            self.db.query(
                "select pgq_node.register_location('q', %s, %s, false)",
                (node.name, node.db.conninfo),
            )

    def create(self, kind, provider=None, watermark=None):
        row = self.db.query_one(
            "select ret_code, ret_note from pgq_node.create_node('q', %s, %s, %s, %s, %s, null)",
            (kind, self.name, f"{self.name}_worker", provider, watermark),
        )
        assert row[0] == 200, row

    def done(self):
        return sorted(int(row[0]) for row in self.db.query("select data from done"))

    def state(self, name):
        return self.db.query_one("select * from pgq_node.get_consumer_state('q', %s)", (name,))


@pytest.fixture
def nodes(make_db):
    """Two nodes: root and leaf."""
    root, leaf = Node(make_db, "root"), Node(make_db, "leaf")
    root.locate(root, leaf)
    root.create("root")
    root.db.query("select * from pgq_node.register_subscriber('q', 'leaf', 'leaf_worker', null)")
    leaf.locate(root, leaf)
    leaf.create("leaf", "root", 1)
    return root, leaf


@pytest.fixture
def script(nodes, tmp_path):
    root, leaf = nodes
    handlers = list(logging.getLogger().handlers)
    path = tmp_path / "follow.ini"
    path.write_text(f"[follow]\nnode_db = {leaf.db.conninfo}\nqueue_name = q\nloop_delay = 0.01\n")
    one = Follower("follow", "node_db", ["-q", str(path)])
    one._runtime = Runtime("", 1.0)
    one.register_consumer(root.db.conninfo)
    yield one
    one.reset()
    one._runtime.signals.close()
    logging.getLogger().handlers[:] = handlers


def test_each_event_is_done_once_in_the_node(nodes, script):
    root, leaf = nodes
    queue = Queue(root.db, "q")
    queue.insert(3)
    tick = queue.tick()
    script.fail = True
    with pytest.raises(RuntimeError):
        script.work()
    script.reset()
    script.fail = False
    while script.work():
        pass
    assert leaf.done() == [1, 2, 3]
    assert queue.position("follow") == tick
    tick = queue.tick()
    assert script.work()
    root.db.query("select pgq.register_consumer_at('q', 'follow', 1)")
    with pytest.raises(LostPosition):
        script.work()
    script.reset()
    script.rewind()
    assert queue.position("follow") == tick
    root.db.query("select pgq.register_consumer_at('q', 'follow', 1)")
    script.dst_reset()
    while script.work():
        pass
    assert leaf.done() == [1, 1, 2, 2, 3, 3]


def test_it_pauses_and_answers(nodes, script):
    root, leaf = nodes
    queue = Queue(root.db, "q")
    queue.insert(1)
    queue.tick()
    leaf.db.query("select * from pgq_node.set_consumer_paused('q', 'follow', true)")
    assert script.work() == 0
    assert leaf.done() == []
    paused, uptodate = leaf.state("follow")[7:9]
    assert (paused, uptodate) == (True, True)
    leaf.db.query("select * from pgq_node.set_consumer_paused('q', 'follow', false)")
    script.work()
    assert leaf.done() == [1]


def test_an_error_is_told_in_the_node_until_it_is_over(nodes, script):
    root, leaf = nodes
    queue = Queue(root.db, "q")
    queue.insert(1)
    queue.tick()
    leaf.db.execute("alter table done rename to gone")
    assert script.run_once() == -1
    assert 'relation "done" does not exist' in leaf.state("follow")[9]
    leaf.db.execute("alter table gone rename to done")
    script.work_state = -1
    assert script.run_once() == 1
    script.work_state = 1
    script.work()
    assert leaf.state("follow")[9] is None
    assert leaf.done() == [1]


def test_it_stands_by_on_the_root(nodes, tmp_path, script):
    root, _ = nodes
    root.db.query("select * from pgq_node.register_consumer('q', 'here', 'root', 1)")
    path = tmp_path / "here.ini"
    path.write_text(f"[follow]\nnode_db = {root.db.conninfo}\nqueue_name = q\nloop_delay = 0\n")
    here = Follower("follow", "node_db", ["-q", str(path)])
    assert here.work() == 0
    assert "_provider_db" not in here.db_cache
    here.reset()


def test_it_is_unregistered_on_both_sides(nodes, script):
    root, leaf = nodes
    script.unregister_consumer()
    assert Queue(root.db, "q").position("follow") is None
    assert leaf.db.value("select count(*) from pgq_node.get_consumer_info('q')") == 1
    with pytest.raises(SystemExit):
        script.get_consumer_state()
