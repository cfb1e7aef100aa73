# SPDX-License-Identifier: ISC
"""The kinds of takeover: with followers, of a branch, of dead nodes, of a combined queue."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from skytools.pgq.admin import waiting
from skytools.pgq.admin.members import Node


def insert(site, name, *words):
    for word in words:
        site.nodes[name].db.value("select pgq.insert_event(%s, 't', %s)", (site.queue, word))
    return list(words)


def test_the_other_subscribers_follow(make_site):
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="d")
    site.tick()
    site.start()
    site.setadm("b", "takeover", "a", "--all")
    assert site.shape() == {
        "a": ("branch", "b"), "b": ("root", "b"), "d": ("branch", "b"), "c": ("leaf", "d"),
    }  # fmt: skip
    assert [site.subscribers(name) for name in "abd"] == [set(), {"a", "d"}, {"c"}]
    # and back, with a successor below a subscriber that has to follow
    site.setadm("c", "takeover", "d", "--node=a")
    assert site.shape()["d"] == ("branch", "a")
    sent = insert(site, "b", "1")
    for name in "adc":
        site.wait_ledger(name, sent)


def test_a_branch_takes_the_place_of_a_branch(make_site):
    site = make_site(branches=("b", "d"), a=None, b="a", d="b", c="b")
    site.tick()
    site.start()
    done = site.command("c", "takeover", "b")
    assert "node c is a leaf: nobody can read from it" in done.err
    site.setadm("d", "takeover", "b", "--all")
    assert site.shape() == {
        "a": ("root", "a"), "b": ("branch", "d"), "d": ("branch", "a"), "c": ("leaf", "d"),
    }  # fmt: skip
    assert [site.subscribers(name) for name in "abd"] == [{"d"}, set(), {"b", "c"}]
    for name in "bcd":
        site.wait_ledger(name, insert(site, "a", "1") if name == "b" else ["1"])
    assert "reads from" not in site.setadm("d", "takeover", "b", "--all")


def test_the_place_of_a_dead_branch_is_taken(make_site, wait_until):
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="b")
    site.tick()
    site.start()
    site.wait_ledger("c", insert(site, "a", "1"))
    wait_until(lambda: len(site.data("c", "members")) == 4)
    site.workers.pop("b").kill()
    lose(site, "b")
    done = site.command("d", "takeover", "b")
    assert "when b is gone for good: --dead-root or --dead-branch" in done.err
    site.setadm("d", "takeover", "b", "--dead-branch")
    assert site.shape() == {"a": ("root", "a"), "d": ("branch", "a"), "c": ("leaf", "d")}
    site.setadm("d", "drop-node", "b")
    assert site.subscribers("a") == {"d"}
    site.wait_ledger("c", ["1", *insert(site, "a", "2")])


def lose(site, name):
    """Take a node's database away from all others for good."""
    node = site.nodes.pop(name)
    server = type(node.db)("server", node.db.conninfo.replace(f"dbname={node.db.name}",
                                                              "dbname=postgres"),
                           autocommit=True)  # fmt: skip
    server.execute(f"alter database {node.db.name} allow_connections false").close()
    server.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
        (node.db.name,),
    )
    server.execute(f"alter database {node.db.name} allow_connections false").close()
    server.close()
    node.db.close()
    return node


def test_a_leaf_that_is_ahead_of_every_branch_is_named(make_site):
    """Finding 14: what no branch has cannot be given to anybody; nothing is touched before."""
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="a")
    site.tick()
    site.start()
    for name in "bcd":
        site.wait_ledger(name, insert(site, "a", "1") if name == "b" else ["1"])
    for name in "bd":
        site.workers[name].stop()
    site.wait_ledger("c", ["1", *insert(site, "a", "2")])
    site.workers["c"].stop()
    lose(site, "a")
    for name in "bcd":
        site.start(name)
    shape = site.shape()
    done = site.command("b", "takeover", "a", "--dead-root")
    assert "node c is at tick" in done.err
    assert "leave it out with --dead=c" in done.err
    assert site.shape() == shape
    site.setadm("b", "takeover", "a", "--dead-root", "--dead=c")
    assert site.shape()["d"] == ("branch", "b")
    site.wait_ledger("d", ["1", *insert(site, "b", "3")])


def test_a_dead_root_that_answers_is_closed(make_site):
    site = make_site(branches=("b",), a=None, b="a")
    site.tick()
    site.start()
    site.wait_ledger("b", insert(site, "a", "1"))
    told = site.setadm("b", "takeover", "a", "--dead-root")
    assert "close a for writing: it answers" in told
    assert site.nodes["a"].db.value("select queue_disable_insert from pgq.queue")
    assert site.nodes["b"].info("node_type") == "root"
    done = site.command("b", "takeover", "a", "--abort")
    assert done.code == 1
    site.setadm("a", "resurrect")
    site.setadm("a", "resume", "--node=a")
    sent = insert(site, "b", "2")
    site.wait_ledger("a", sent)


def test_a_combined_queue_changes_its_root(make_site):
    """Partitions are merged on the new side from the tick on to which the old side had come."""
    whole = make_site(branches=("s",), r=None, s="r")
    part = make_site(queue="part", beside={"x": whole.nodes["r"], "y": whole.nodes["s"]},
                     p=None, x="p", y="p")  # fmt: skip
    for site in (whole, part):
        site.tick()
        site.start()
    sent = insert(part, "p", "1", "2")
    whole.wait_ledger("s", sent)
    told = whole.data("s", "takeover", "r")
    assert {"merge-part-pause", "merge-part-level", "merge-part-resume"} <= {
        one["step"] for one in told["steps"]
    }
    assert whole.shape() == {"r": ("branch", "s"), "s": ("root", "s")}
    sent += insert(part, "p", "3")
    for name in "rs":
        whole.wait_ledger(name, sent)
    whole.setadm("r", "takeover", "s")
    assert whole.shape() == {"r": ("root", "r"), "s": ("branch", "r")}
    sent += insert(part, "p", "4")
    data = "select ev_data from pgq.event_template where ev_type = 't' order by ev_id"
    for name in "rs":
        whole.wait_ledger(name, sent)
        assert whole.nodes[name].db.query(data) == [(word,) for word in sent]


def test_a_worker_that_rests_after_an_error_is_woken_while_writers_wait(make_site):
    """As a server that was away does not tell workers that it is back."""
    site = make_site(a=None)
    conninfo = site.nodes["a"].db.conninfo
    heard = Database("worker", conninfo, autocommit=True)
    heard.listen("pgq_node")
    node = Node("a", site.queue, Database("command", conninfo))
    for urgent in (False, True):
        with pytest.raises(waiting.NotInTime):
            waiting.await_tick(node, 1 << 40, 2.0, urgent=urgent)
        assert bool(heard.notifies()) == urgent
    for db in (node.db, heard):
        db.close()
