# SPDX-License-Identifier: ISC
"""Workers and consumers of a cascade, step by step in the test's own process."""

from __future__ import annotations

import argparse

import pytest

from skytools.core.errors import (
    DatabaseError,
    LostPosition,
    SkytoolsError,
    TransientError,
    UsageError,
)
from skytools.core.service import AGAIN
from skytools.pgq import CascadedConsumer, CascadedWorker
from tests.fixtures.cascade import add_node, make_root

LEDGER = "create table ledger (id bigint, data text)"
COPIED = """select ev_id, ev_time, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4
    from pgq.event_template order by ev_id"""


class Worker(CascadedWorker):
    poison = ""

    def process_event(self, event, target):
        target.execute("insert into ledger values (%s, %s)", (event.id, event.data))
        if event.data == self.poison:
            raise ValueError("cannot stand it")


@pytest.fixture
def root(db):
    return make_root(db)


@pytest.fixture
def branch(root, make_db):
    node = add_node(root, root, make_db(), "branch", "branch")
    node.db.execute(LEDGER)
    return node


@pytest.fixture
def leaf(root, branch, make_db):
    node = add_node(root, branch, make_db(), "leaf", "leaf")
    node.db.execute(LEDGER)
    return node


@pytest.fixture
def worker(make_consumer):
    def worker(node, cls=Worker, **keys):
        given = {"db": node.db.conninfo, "queue_name": node.queue, "consumer_name": node.worker,
                 "local_wm_publish_period": 0, "global_wm_publish_period": 0, **keys}  # fmt: skip
        return make_consumer(cls, **given)

    return worker


def run(*workers):
    """Let workers go until nobody has anything to do."""
    while any([step(one) for one in workers]):
        pass


def step(one):
    """Take a step, and another when the first found only an old notification."""
    before = one.last_tick
    one.step()
    if one.last_tick == before:
        one.step()
    return one.last_tick != before


def ledger(node):
    return [row[0] for row in node.db.query("select data from ledger order by id")]


def fill(root, count=3):
    root.events.insert(count)
    return root.events.tick()


def crash(one):
    one.ctx.close_databases()


def ticks(node):
    return node.db.query("select tick_id, tick_time from pgq.tick order by 1")


def test_events_ids_and_ticks_arrive_everywhere(root, branch, leaf, worker):
    one, two = worker(branch), worker(leaf)
    run(one, two)
    last = [fill(root) for _ in range(3)][-1]
    run(one, two)
    assert branch.db.query(COPIED) == root.db.query(COPIED)
    assert ticks(branch)[-3:] == ticks(root)[-3:]
    assert ledger(branch) == ledger(leaf) == ["1", "2", "3"] * 3
    for node in (branch, leaf):
        assert node.state("completed_tick") == last
        assert node.state("uptodate") is True
    seq = "select tick_event_seq from pgq.tick order by tick_id desc limit 1"
    assert branch.db.value(seq) == root.db.value(seq) > 0


def test_a_tick_of_a_branch_is_the_border_of_the_same_events(root, branch, leaf, worker):
    """Whoever reads the branch gets batches with the same contents."""
    fill(root)
    run(worker(branch))
    branch.db.query("select pgq.register_consumer('q', 'reader')")
    for count in (1, 4, 2):
        fill(root, count)
    run(worker(branch))
    sizes = []
    while (batch := branch.db.value("select pgq.next_batch('q', 'reader')")) is not None:
        sizes.append(branch.db.value("select count(*) from pgq.get_batch_events(%s)", (batch,)))
        branch.db.query("select pgq.finish_batch(%s)", (batch,))
    assert sizes == [1, 4, 2]


def test_a_crash_before_the_tick_is_made_up_for(root, branch, worker):
    one = worker(branch)
    run(one)
    tick = fill(root)

    def die(*args, **keys):
        raise TransientError("died")

    after, one.after = one.after, die
    with pytest.raises(TransientError):
        one.step()
    crash(one)
    assert branch.state("completed_tick") == tick
    assert branch.state("local_queue_top") < tick
    one.after = after
    run(one)
    assert branch.state("local_queue_top") == tick
    assert ticks(branch)[-1] == ticks(root)[-1]
    assert ledger(branch) == ["1", "2", "3"]
    fill(root)
    run(one)
    assert ledger(branch) == ["1", "2", "3"] * 2


def test_a_failed_batch_leaves_nothing_and_tells_the_node(root, branch, worker):
    one = worker(branch)
    run(one)
    fill(root)
    one.poison = "2"
    with pytest.raises(ValueError, match="cannot stand it"):
        one.step()
    crash(one)
    assert ledger(branch) == []
    assert branch.state("cur_error") == "cannot stand it"
    one.poison = ""
    run(one)
    assert ledger(branch) == ["1", "2", "3"]
    assert branch.state("cur_error") is None


def test_positions_that_do_not_fit_stop_it(root, branch, worker):
    one = worker(branch)
    run(one)
    fill(root)
    branch.db.execute("update pgq_node.local_state set last_tick_id = last_tick_id + 7")
    with pytest.raises(LostPosition, match="the node has done all up to tick"):
        one.step()
    crash(one)
    assert ledger(branch) == []


def test_rewind_and_reset(root, branch, leaf, worker):
    one, two = worker(branch), worker(leaf)
    run(one, two)
    first = leaf.state("completed_tick")
    fill(root)
    run(one, two)
    last = leaf.state("completed_tick")
    branch.db.query("select pgq.register_consumer_at('q', %s, %s)", (leaf.worker, first))
    two.command(argparse.Namespace(command="rewind"))
    assert branch.events.position(leaf.worker) == last
    branch.db.query("select pgq.register_consumer_at('q', %s, %s)", (leaf.worker, first))
    two.command(argparse.Namespace(command="reset"))
    assert leaf.state("completed_tick") == first
    run(two)
    assert ledger(leaf) == ["1", "1", "2", "2", "3", "3"]


def test_while_paused_nothing_is_done(root, branch, worker):
    one = worker(branch)
    run(one)
    branch.call("set_consumer_paused", "q", branch.worker, True)
    assert branch.state("uptodate") is False
    fill(root)
    assert one.step() is not AGAIN
    assert branch.state("uptodate") is True
    assert ledger(branch) == []
    branch.call("set_consumer_paused", "q", branch.worker, False)
    run(one)
    assert ledger(branch) == ["1", "2", "3"]


def test_watermarks_go_up_and_come_down(root, branch, leaf, worker):
    zero, one, two = worker(root), worker(branch), worker(leaf)
    run(zero, one, two)
    first = fill(root)
    run(one)
    assert root.info("local_watermark") < first
    run(two)
    fill(root)
    run(one, two)
    assert root.info("local_watermark") >= first
    zero.step()
    mark = root.info("global_watermark")
    assert mark >= first
    root.events.tick()
    run(one, two)
    assert branch.info("global_watermark") == mark


def test_a_stopped_node_holds_the_watermark(root, branch, leaf, worker):
    zero, one, two = worker(root), worker(branch), worker(leaf)
    run(one, two)
    held = leaf.state("completed_tick")
    for _ in range(3):
        fill(root)
        run(one)
        zero.step()
    assert root.info("global_watermark") <= held


def test_news_of_members_reach_all(root, branch, leaf, worker):
    one, two = worker(branch), worker(leaf)
    run(one, two)
    root.call("register_location", "q", "elsewhere", "dbname=x", True)
    root.events.tick()
    run(one, two)
    query = "select node_location, dead from pgq_node.node_location where node_name = 'elsewhere'"
    assert leaf.db.query(query) == [("dbname=x", True)]
    root.call("unregister_location", "q", "elsewhere")
    root.events.tick()
    run(one, two)
    assert leaf.db.query(query) == []


@pytest.mark.parametrize(
    ("kind", "extra1", "told"),
    [
        ("pgq.unheard-of", "q", "pgq.unheard-of is unknown to this version"),
        ("pgq.location-info", "other", "pgq.location-info is for queue other"),
        ("pgq.tick-id", "q", "tick of a partition names no other queue"),
    ],
)
def test_events_of_the_cascade_that_make_no_sense(root, branch, worker, kind, extra1, told):
    one = worker(branch)
    run(one)
    root.db.query("select pgq.insert_event('q', %s, '1', %s, null, null, null)", (kind, extra1))
    root.events.tick()
    with pytest.raises(SkytoolsError, match=told):
        one.step()


def test_a_worker_with_another_name_is_refused(branch, worker):
    with pytest.raises(SkytoolsError, match="has worker branch_q, not me: set consumer_name"):
        worker(branch, consumer_name="me").step()


def test_a_database_that_is_no_node(make_db, worker, root):
    root.db = make_db(empty=True)
    with pytest.raises(SkytoolsError, match="has no pgq_node; make it a node"):
        worker(root).step()


def test_a_root_whose_place_was_taken_refuses_writes(root, branch, worker):
    """It was away meanwhile: without this both would take writes until somebody sees it."""
    one = worker(root)
    one.step()
    tick = branch.info("worker_last_tick")
    branch.call("promote_branch", "q")
    branch.call("register_subscriber", "q", "root", "root.gravestone", tick)
    fill(root)
    one.step()  # looks only from time to time
    fill(root)
    again = worker(root)  # and when it starts
    again.step()
    with pytest.raises(DatabaseError, match="disallowed"):
        fill(root)
    for who in (one, again):
        who.step()
    assert root.info("node_type") == "root"


def test_it_follows_a_new_provider(root, branch, leaf, worker, make_db):
    other = add_node(root, root, make_db(), "branch", "other")
    other.db.execute(LEDGER)
    one, two, three = worker(branch), worker(leaf), worker(other)
    run(one, two, three)
    fill(root)
    run(one, two, three)
    tick = leaf.state("completed_tick")
    other.add_location(leaf)
    leaf.add_location(other)
    other.call("register_subscriber", "q", "leaf", leaf.worker, tick)
    leaf.call("change_consumer_provider", "q", leaf.worker, "other")
    fill(root)
    run(three, two)
    assert ledger(leaf) == ["1", "2", "3"] * 2
    assert ledger(branch) == ["1", "2", "3"]


class Consumer(CascadedConsumer):
    def process_event(self, event, target):
        target.execute("insert into ledger values (%s, %s)", (event.id, event.data))


def test_a_plain_consumer_beside_the_worker(root, branch, leaf, worker, make_consumer):
    one = worker(branch, CascadedWorker)
    run(one)
    consumer = make_consumer(Consumer, db=branch.db.conninfo, consumer_name="plain")
    with pytest.raises(SkytoolsError, match="Unknown consumer: q/plain"):
        consumer.step()
    command = argparse.Namespace(command="register", provider="")
    with pytest.raises(UsageError, match="--register needs --provider"):
        consumer.command(command)
    command.provider = root.db.conninfo
    consumer.command(command)
    root.call("register_location", "q", "elsewhere", "dbname=x", True)
    fill(root)
    run(consumer)
    assert ledger(branch) == ["1", "2", "3"]
    assert branch.db.value(
        "select last_tick_id from pgq_node.local_state where consumer_name = 'plain'"
    ) == root.events.position("plain")
    consumer.command(argparse.Namespace(command="unregister", provider=""))
    assert root.events.position("plain") is None


def test_on_the_root_a_consumer_stands_by(root, make_consumer):
    root.call("register_consumer", "q", "plain", "root", 1)
    consumer = make_consumer(Consumer, db=root.db.conninfo, consumer_name="plain")
    assert consumer.step() is not AGAIN


@pytest.fixture
def merge(make_db, worker):
    """A combined queue `all` with root and branch, fed from partition `q`; workers by name."""
    source = make_root(make_db(), "source")
    top = make_root(make_db(), "top", "all")
    below = add_node(top, top, make_db(), "branch", "below", None)
    part_top = add_node(source, source, top.db, "leaf", "ptop", "all")
    part_below = add_node(source, source, below.db, "leaf", "pbelow", "all")
    nodes = {"source": source, "top": top, "below": below, "ptop": part_top, "pbelow": part_below}
    return nodes, {name: worker(nodes[name], CascadedWorker) for name in nodes}


def data(db):
    return [row[0] for row in db.query(
        "select ev_data from pgq.event_template where ev_type = 't' order by ev_id")]  # fmt: skip


def test_a_leaf_copies_into_the_combined_root(merge):
    nodes, workers = merge
    run(workers["ptop"])
    tick = fill(nodes["source"])
    run(workers["ptop"])
    assert data(nodes["top"].db) == ["1", "2", "3"]
    told = nodes["top"].db.query(
        "select ev_data, ev_extra1 from pgq.event_template where ev_type = 'pgq.tick-id'"
        " order by ev_id desc limit 1"
    )
    assert told == [(str(tick), "q")]


def test_a_leaf_beside_a_combined_branch_waits_behind(merge):
    nodes, workers = merge
    run(workers["ptop"], workers["below"])
    tick = fill(nodes["source"])
    for _ in range(4):
        workers["pbelow"].step()
    held = nodes["source"].events.position(nodes["pbelow"].worker)
    assert held < tick
    run(workers["ptop"])
    nodes["top"].events.tick()
    run(workers["below"])
    assert nodes["pbelow"].state("completed_tick") == tick
    run(workers["pbelow"])
    assert nodes["source"].events.position(nodes["pbelow"].worker) == tick
    assert data(nodes["below"].db) == ["1", "2", "3"]
