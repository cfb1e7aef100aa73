# SPDX-License-Identifier: ISC
"""sync_watermark: a branch and what is below it keep a watermark of their own."""

from __future__ import annotations

import logging

import pytest

from skytools.core.errors import SkytoolsError
from skytools.pgq import CascadedWorker
from tests.fixtures.cascade import add_node, make_root


class Idle(CascadedWorker):
    def process_event(self, event, target):
        """Leave it."""


@pytest.fixture
def nodes(db, make_db):
    """root -> branch -> leaf and below; the branch synchronises with the leaf."""
    root = make_root(db)
    branch = add_node(root, root, make_db(), "branch", "branch")
    leaf = add_node(root, branch, make_db(), "leaf", "leaf")
    below = add_node(root, branch, make_db(), "branch", "below")
    branch.call("set_node_attrs", "q", "sync_watermark=leaf")
    return root, branch, leaf, below


@pytest.fixture
def workers(nodes, make_consumer):
    return [
        make_consumer(
            Idle, db=node.db.conninfo, consumer_name=node.worker, local_wm_publish_period=0,
            global_wm_publish_period=0,
        )
        for node in nodes
    ]  # fmt: skip


def work(root, *workers, rounds=3):
    """Let workers keep up with new ticks; the root publishes its watermark each time."""
    for _ in range(rounds):
        root.events.insert(1)
        root.events.tick()
        for worker in workers:
            for _ in range(6):
                worker.step()


def test_a_stopped_partner_holds_the_subtree_but_not_the_root(nodes, workers):
    root, branch, leaf, below = nodes
    zero, one, _, three = workers
    work(root, zero, one, three)
    held = leaf.state("completed_tick")
    work(root, zero, one, three)
    assert root.info("global_watermark") > held
    assert branch.info("global_watermark") <= held
    assert below.info("global_watermark") <= held, "events copied on carry the subtree's own mark"


def test_when_the_partner_goes_on_the_subtree_does(nodes, workers):
    root, branch, leaf, _ = nodes
    work(root, workers[0], workers[1], workers[3])
    held = leaf.state("completed_tick")
    work(root, *workers)
    assert branch.info("global_watermark") > held


def test_a_dead_partner_is_left_out(nodes, workers):
    root, branch, leaf, _ = nodes
    work(root, workers[0], workers[1])
    held = leaf.state("completed_tick")
    branch.call("register_location", "q", "leaf", None, True)
    branch.call("unregister_subscriber", "q", "leaf")
    branch.call("unregister_subscriber", "q", "below")
    work(root, workers[0], workers[1])
    assert branch.info("global_watermark") > held


def test_with_an_unknown_partner_nothing_is_moved(nodes, workers, caplog):
    root, branch, _, _ = nodes
    branch.call("set_node_attrs", "q", "sync_watermark=leaf%2cnobody")
    before = branch.info("global_watermark")
    with caplog.at_level(logging.WARNING):
        work(root, *workers)
    assert "sync_watermark: node nobody is unknown, nothing is moved" in caplog.text
    assert branch.info("global_watermark") == before


def test_a_partner_that_cannot_be_reached_is_named(nodes, workers):
    root, branch, _, _ = nodes
    work(root, *workers[:2])  # the news of where members are has come
    branch.call("register_location", "q", "leaf", "host=/nowhere", False)
    with pytest.raises(SkytoolsError, match="sync_watermark: node leaf: "):
        work(root, *workers[:2])
