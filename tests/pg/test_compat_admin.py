# SPDX-License-Identifier: ISC
"""CascadeAdmin as scripts of Skytools 3 use it: started, called, and extended by a command."""

from __future__ import annotations

import json
import logging
import sys

import pytest

import pgq
from skytools.core.errors import UsageError
from tests.fixtures.process import run

SCRIPT = """
import sys
import pgq


class Ours(pgq.CascadeAdmin):
    def cmd_who_reads(self, name):
        sql = "select 200 as ret_code, 'hi' as ret_note"
        for row in self.node_cmd(self.find_root_node(), sql, []):
            self.log.info("%s", row["ret_note"])
        print(name, "is read by", self.find_subscribers_for(name))

    def cmd_move_all(self, old, new):
        for name in self.find_subscribers_for(old):
            self.node_change_provider(name, new)
        print("now", self.find_subscribers_for(new))


Ours("cascade_admin", "node_db", sys.argv[1:]).start()
"""


@pytest.fixture
def site(make_site):
    site = make_site(a=None, b="a", c="b")
    site.tick()
    site.start()
    return site


@pytest.fixture
def admin(site):
    """Give a function that makes the object for a command line given at a node."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = []

    def make(node, *words):
        words = words or ("status",)
        made.append(
            pgq.CascadeAdmin("cascade_admin", "node_db", ["-q", str(site.ini(node)), *words])
        )
        return made[-1]

    yield make
    for one in made:
        one.reset()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_what_it_says_of_the_cascade(admin, site):
    one = admin("c")
    assert one.load_local_info().local_node.type == "leaf"
    assert (one.local_node, one.queue_name) == ("c", "q")
    assert set(one.queue_info.member_map) == {"a", "b", "c"}
    assert one.find_root_node() == one.root_node_name == "a"
    assert one.find_provider("c") == "b"
    assert one.node_depends("c", "a")
    assert not one.node_depends("a", "c")
    assert not one.node_depends("b", "b")
    assert one.get_node_subscriber_list("b") == ["c"]
    assert one.find_subscribers_for("a") == ["b"]
    assert list(one.get_node_consumer_map("b")) == ["b_q"]
    assert one.find_consumer(node="b") == ("b", "b_q")
    assert one.find_consumer(consumer="b_q") == ("b", "b_q")
    assert one.get_node_info("b").worker_name == "b_q"
    assert one.find_root_db().cursor().execute("select 1") is None
    one.close_node_database("a")
    site.setadm("a", "tag-dead", "c")
    again = admin("a")
    assert not again.node_alive("c")
    assert again.get_node_database("c") is None
    assert again.get_node_info_opt("c") is None
    for wrong in (
        lambda: again.get_node_info("c"),
        lambda: again.find_consumer(consumer="none"),
        lambda: again.node_cmd("none", "select 1", []),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_what_it_changes(admin, site, capsys):
    one = admin("c")
    one.pause_node("b")
    assert site.nodes["b"].state("paused") is True
    one.resume_node("b")
    one.node_change_provider("c", "a")
    assert site.shape()["c"] == ("leaf", "a")
    assert one.find_provider("c") == "a"
    one.cmd_members()
    assert {"a", "b", "c"} <= set(capsys.readouterr().out.split())
    admin("b", "takeover", "a").work()
    assert site.root.name == "b"
    with pytest.raises(UsageError, match="expected NAME CONNSTR"):
        one.cmd_create_leaf("x", "y", "z")


def test_a_script_with_a_command_of_its_own(site, tmp_path):
    script = tmp_path / "ours.py"
    script.write_text(SCRIPT)
    ini = site.ini("c")
    done = run(sys.executable, script, ini, "who-reads", "b")
    assert (done.code, done.out) == (0, "b is read by ['c']\n")
    assert "a: hi" in done.err
    info = json.loads(run(sys.executable, script, "--json", ini, "node-info").out)
    assert info["worker_name"] == "c_q"
    assert "c (leaf)" in run(sys.executable, script, ini, "status").out
    moved = run(sys.executable, script, "-q", ini, "move-all", "b", "a")
    assert moved.out.endswith("now ['b', 'c']\n")
    for words, text in (
        (["nonsense"], "bad subcommand"),
        (["takeover"], "wrong number of arguments; expected: OLD_NODE_NAME"),
        (["takeover", "nobody"], "node nobody is unknown"),
        (["--queue=other", "status"], "is no node of the cascade of queue other"),
    ):
        done = run(sys.executable, script, ini, *words)
        assert done.code == 1
        assert text in done.err
        assert "Traceback" not in done.err
