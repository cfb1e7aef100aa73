# SPDX-License-Identifier: ISC
"""setadm: nodes are made, moved, shown and dropped, with real workers."""

from __future__ import annotations

import time

import pytest


def insert(node, *words):
    for word in words:
        node.db.value("select pgq.insert_event('q', 't', %s)", (word,))
    return list(words)


def test_a_takeover_of_the_root(make_site):
    """Events flow, the plan is shown and rehearsed without effect, the switch loses nothing."""
    site = make_site(a=None, b="a", c="b")
    before = {"a": ("root", "a"), "b": ("branch", "a"), "c": ("leaf", "b")}
    site.tick()
    site.start()
    sent = insert(site.root, "x", "y")
    for name in "bc":
        site.wait_ledger(name, sent)
    assert "3 close a for writing" in site.setadm("b", "takeover", "a", "--dry-run")
    assert "nothing speaks against it" in site.setadm("b", "--rehearse", "takeover", "a")
    assert site.shape() == before
    began = time.monotonic()
    told = site.data("b", "takeover", "a")
    assert 0 < told["downtime"] < time.monotonic() - began
    assert site.shape() == {"a": ("branch", "b"), "b": ("root", "b"), "c": ("leaf", "b")}
    assert (site.subscribers("a"), site.subscribers("b")) == (set(), {"a", "c"})
    # the old root takes nothing from anybody, the new one does
    with pytest.raises(Exception, match="disallowed"):
        insert(site.nodes["a"], "no")
    sent += insert(site.root, "z")
    site.wait_ledger("c", sent)
    # what a root has written itself it does not apply again
    site.wait_ledger("a", ["z"])
    assert "already" not in site.setadm("b", "takeover", "a")  # again: completes, changes nothing
    assert site.root.name == "b"


def test_the_tree_is_shown(make_site):
    site = make_site(branches=("b",), a=None, b="a", c="b", d="a")
    site.start("b", "c")
    site.setadm("b", "tag-dead", "d")
    lines = [line.rstrip() for line in site.setadm("b", "status").splitlines()]
    assert lines[0] == "Queue: q   Local node: b"
    assert lines[2] == "a (root)"
    assert {"  +--: b (branch)", "     +--: c (leaf)", "d (DEAD)"} <= set(lines)
    assert all(line[30:].startswith("Lag: ") for line in lines if "Tick" in line)
    compact = site.setadm("b", "status", "--compact").splitlines()
    assert [line.split()[0] for line in compact[2:] if line] == ["a", "b", "c", "d"]
    told = {one["node"]: one for one in site.data("b", "status")["nodes"]}
    assert told["d"]["dead"] is True
    assert told["c"]["info"]["provider_node"] == "b"
    site.setadm("b", "tag-alive", "d")
    assert not any(row["dead"] for row in site.data("a", "members"))
    assert "Subscribers:" in site.setadm("b", "node-status")
    assert site.data("b", "node-info")["worker_name"] == "b_q"


def test_a_node_that_does_not_answer_is_shown_as_such(make_site):
    site = make_site(a=None, b="a")
    wrong = "host=/nowhere dbname=none"
    site.nodes["a"].call("register_location", "q", "z", wrong, False)
    shown = site.setadm("a", "status")
    assert "z (no answer)" in shown
    assert "ERR: node z:" in shown


def test_nodes_move_are_renamed_and_leave(make_site):
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="b")
    site.tick()
    site.start()
    sent = insert(site.root, "1")
    site.wait_ledger("c", sent)
    site.setadm("c", "change-provider", "--provider=d")
    assert site.shape()["c"] == ("leaf", "d")
    assert (site.subscribers("b"), site.subscribers("d")) == (set(), {"c"})
    assert "already" in site.setadm("c", "change-provider", "--provider=d")
    sent += insert(site.root, "2")
    site.wait_ledger("c", sent)

    site.setadm("a", "rename-node", "d", "delta")
    assert site.nodes["c"].info("provider_node") == "delta"
    assert site.subscribers("a") == {"b", "delta"}
    sent += insert(site.root, "3")
    site.wait_ledger("c", sent)
    for name in site.nodes:
        assert {row["node_name"] for row in site.data(name, "members")} == {"a", "b", "c", "delta"}

    done = site.command("a", "drop-node", "delta")
    assert (done.code, done.err) == (1, "setadm: node c reads from delta: give it another provider"
                                        " first\n")  # fmt: skip
    site.workers["b"].stop()
    site.setadm("b", "drop-node", "b")
    assert site.subscribers("a") == {"delta"}
    assert site.command("b", "node-info").code == 2
    sent += insert(site.root, "4")
    site.wait_ledger("c", sent)


def test_a_worker_that_is_dead_never_blocks_for_ever(make_site):
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="b")
    done = site.command("c", "pause", "--timeout=0.2")
    assert done.code == 1
    assert "c_q of node c has not answered within 0.2 s" in done.err
    assert len(done.err.splitlines()) == 1
    assert site.nodes["c"].state("paused") is True
    site.command("c", "resume", "--timeout=0.2")
    before = site.shape()
    done = site.command("c", "change-provider", "--provider=d", "--timeout=0.2")
    assert done.code == 1
    assert "Start it" in done.err
    assert site.shape() == before
    assert site.nodes["c"].state("paused") is False
    site.setadm("c", "change-provider", "--provider=d", "--force", "--timeout=0.2")
    assert site.shape()["c"] == ("leaf", "d")
    site.tick()
    site.start()
    site.wait_ledger("c", insert(site.root, "1"))


def test_waiting_for_what_is_on_the_root_now(make_site):
    site = make_site(a=None, b="a", c="b")
    site.start()
    site.tick()
    sent = insert(site.root, *"xyz")
    site.setadm("c", "wait-root")
    assert site.ledger("c") == sent
    site.setadm("c", "wait-provider", "--timeout=120")
    assert "nothing to wait for" in site.setadm("a", "wait-root")
    site.workers["b"].stop()
    done = site.command("b", "wait-root", "--timeout=0.3")
    assert "node b has not come to tick" in done.err


def test_a_plain_consumer_gets_another_provider(make_site):
    """It is found by its name, from any node; one that does not run needs --force."""
    site = make_site(branches=("b", "d"), a=None, b="a", d="a", c="b")
    site.tick()
    site.start()
    site.wait_ledger("c", insert(site.root, "1"))
    node, tick = site.nodes["c"], site.nodes["c"].info("worker_last_tick")
    site.nodes["b"].db.value("select pgq.register_consumer_at('q', 'plain', %s)", (tick,))
    node.call("register_consumer", "q", "plain", "b", tick)
    words = ["--consumer=plain", "change-provider", "--provider=d"]
    done = site.command("a", *words, "--timeout=0.2")
    assert "plain of node c has not answered" in done.err
    site.setadm("a", *words, "--timeout=0.2", "--force")
    rows = node.db.query("select consumer_name, provider_node, paused from pgq_node.local_state"
                         " order by 1")  # fmt: skip
    assert rows == [("c_q", "b", False), ("plain", "d", False)]
    registered = "select count(*) from pgq.get_consumer_info('q', 'plain')"
    assert [site.nodes[name].db.value(registered) for name in "bd"] == [0, 1]
    # It leaves with its node: nobody would read what is kept for it.
    # The root is told last: from then on nobody knows the name under which to go on.
    steps = site.steps("d", "drop-node", "c")
    assert steps == ["leave-plain", "drop-on-c", "drop-on-b", "drop-on-d", "drop-on-a"]
    for step in steps[:-1]:
        site.killed("d", step, "drop-node", "c")
    site.setadm("d", "drop-node", "c")
    assert [site.nodes[name].db.value(registered) for name in "bd"] == [0, 0]


def test_what_cannot_work_is_refused_before_anything_is_touched(make_site):
    site = make_site(branches=("b", "d"), a=None, b="a", c="b", d="a")
    before = site.shape()
    for node, words, told in (
        ("c", ["takeover", "a"], "node c is a leaf: only a branch has the events"),
        ("b", ["takeover", "b"], "cannot take its own place"),
        ("b", ["takeover", "x"], "node x is unknown in the cascade of queue q; members: a, b, c"),
        ("b", ["takeover", "a", "--node=c"], "node c is a leaf"),
        ("b", ["takeover", "a", "--dead-branch", "--dead-root"], "exclude each other"),
        ("b", ["takeover", "c", "--dead-root"], "node c answers, and is no root but a leaf"),
        ("d", ["change-provider", "--provider=c"], "node c is a leaf: nobody can read from it"),
        ("b", ["change-provider", "--provider=b"], "cannot be its own provider"),
        ("b", ["change-provider", "--provider=c"], "node c is a leaf"),
        ("a", ["change-provider", "--provider=b"], "node a is the root: it has no provider"),
        ("b", ["change-provider"], "needs --provider=NODE"),
        ("b", ["rename-node", "a", "b"], "has a node b already"),
        ("b", ["tag-dead", "b"], "it is alive"),
        ("b", ["pause", "--consumer=nobody"], "no node knows a consumer nobody"),
        ("b", ["takeover", "a", "--timeout=-1"], "--timeout"),
        ("b", ["create-root", "e"], "is node b (branch)"),
        ("b", ["takeover", "a", "--abort"], ""),
        ("b", ["resurrect"], "no node has a gravestone of b"),
    ):
        done = site.command(node, *words)
        assert told in done.err, (words, done)
        assert done.code == (0 if not told else done.code), words
        assert len(done.err.splitlines()) <= 1, done.err
        assert "Traceback" not in done.err
    assert site.shape() == before


def test_wrong_command_lines(make_site, tmp_path, run_program):
    site = make_site(a=None)
    for words, told in (
        (["nosuch"], "unknown command nosuch; there are: install, "),
        (["takeover"], "required"),
        (["takeover", "b", "--timeout=x"], "invalid float"),
        (["--set", "x", "members"], "KEY=VALUE expected"),
        (["--set", "nosuch=1", "members"], "nosuch"),
        (["--queue=other", "members"], "no node of the cascade of queue other"),
    ):
        done = site.command("a", *words)
        assert (done.code, told in done.err) == (2, True), (words, done)
    done = run_program("setadm", tmp_path / "none.ini", "status")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert run_program("setadm", "--ini").out.count("[cascade_admin]") == 1


def test_a_new_node_is_checked(make_site, make_db):
    site = make_site(a=None)
    db, other = make_db(empty=True), make_db()
    site.nodes["n"] = type(site.nodes["a"])("n", db, "q")
    where = f"--provider={site.nodes['a'].db.conninfo}"
    words = ["create-branch", "n", db.conninfo, where]
    for more, told in (
        (["create-branch", "n", other.conninfo, where, "--worker=w"], "does not lead to this"),
        (["create-branch", "n", db.conninfo, "--worker=w"], "where is the provider?"),
        (["create-branch", "n", db.conninfo, "--provider=x", "--worker=w"], "--provider is no"),
        (["create-branch", "n", where, "--worker=w"], "how do other nodes reach this one?"),
        (["create-branch", where, "--worker=w"], "which name?"),
        (words, "which worker?"),
        (["create-branch", "a", db.conninfo, where, "--worker=w"], "has a node a already"),
        (["create-root", "n", db.conninfo, where, "--worker=w"], "a root has no --provider"),
    ):
        done = site.command("n", *more)
        assert told in done.err, done
        assert done.code > 0
        assert len(done.err.splitlines()) == 1
    # the extensions are made too; given again it says so
    site.setadm("n", *words, "--worker=w", "--sync-watermark=a")
    assert "initialized already" in site.setadm("n", *words, "--worker=w")
    assert site.nodes["n"].info("node_attrs") == "sync_watermark=a"
    done = site.command("n", "create-leaf", "n", db.conninfo, where, "--worker=w")
    assert "is node n (branch)" in done.err
