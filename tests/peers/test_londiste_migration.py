# SPDX-License-Identifier: ISC
"""A cascade of Londiste 3.11 becomes one of Londiste 4, node by node, as docs/upgrade.md says."""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path

import pytest

from tests.peers.test_londiste import (
    NODES,
    RESTORED,
    add_all,
    change,
    make_site,
    same_everywhere,
)

__all__ = ["make_site"]

LONDISTE = Path(sys.executable).with_name("londiste")
UPDATE = ("pgq", "pgq_node", "londiste")


class Migration:
    """Moves nodes of a site while it is written to."""

    def __init__(self, site, spawn, run_program, wait_until):
        self.site = site
        self._spawn = spawn
        self._run = run_program
        self._wait_until = wait_until
        self._dice = random.Random(11)

    def ours(self, node, *words, code=0):
        """Run our londiste with the ini that the old one has."""
        done = self._run(LONDISTE, self.site.inis[node], *words, timeout=120)
        assert done.code == code, done.out + done.err
        return done.out + done.err

    def write(self, root="root"):
        for _ in range(4):
            change(self.site.databases[root], self._dice)

    def same(self, root="root"):
        same_everywhere(self.site, self._wait_until, root)

    def move(self, node):
        """Steps 1 and 2 for one node; afterwards old and new nodes work together."""
        db = self.site.databases[node]
        for name in UPDATE:
            self.write()
            db.execute(f"alter extension {name} update")
        self.same()
        assert set(self.site.state(node).values()) == {"ok"}
        self.site.workers[node].signal(signal.SIGTERM)
        self.site.workers[node].wait()
        self.write()
        self.site.workers[node] = self._spawn(LONDISTE, self.site.inis[node], "worker")
        self.write()
        self.same()
        assert node in self.ours(node, "status")
        if node != "root":
            self.ours(node, "compare")


@pytest.mark.slow
@pytest.mark.parametrize("order", [("leaf", "branch", "root"), ("root", "branch", "leaf")])
def test_a_cascade_is_moved_node_by_node(make_site, spawn, run_program, wait_until, order):
    site = make_site(old=NODES)
    move = Migration(site, spawn, run_program, wait_until)
    root = site.databases["root"]
    root.execute("insert into parents values (1), (2)")
    root.execute("insert into children values (1, 1), (2, 2)")
    move.write()
    add_all(site, wait_until)
    for node in order:
        move.move(node)

    # the triggers of 3.8 are there still; made anew they tell of keys that change
    with pytest.raises(Exception, match="primary key update not allowed"):
        root.execute("update people set id = -id")
    for node in NODES:
        move.ours(node, "change-handler", "people", "--trigger-arg=pkey_update")
        move.ours(node, "check")
    root.execute("update people set id = -id")
    move.same()

    # a takeover, and a copy anew, which the old worker would have done in minutes
    move.ours("branch", "takeover", "root")
    branch = site.databases["branch"]
    branch.execute("insert into parents values (7)")
    move.write("branch")
    move.same("branch")
    move.ours("leaf", "resync", "parents")
    move.ours("leaf", "wait-sync")
    wait_until(lambda: site.databases["leaf"].query(RESTORED), 60, "the foreign key is back")
    for node in ("root", "leaf"):
        move.ours(node, "compare")
