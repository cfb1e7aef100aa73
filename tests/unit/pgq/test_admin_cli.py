# SPDX-License-Identifier: ISC
"""Switches of setadm may stand anywhere, as they could in Skytools 3."""

from __future__ import annotations

import pytest

from skytools.pgq.admin.cli import arrange
from skytools.pgq.admin.commands import COMMANDS
from skytools.pgq.admin.program import parser


@pytest.mark.parametrize(
    "given",
    [
        "x.ini takeover old --all --dead=n1 --dead n2 --queue q",
        "--queue=q --dead=n1 x.ini --all takeover --dead n2 old",
        "--all --dead n1 --dead n2 --queue q x.ini takeover old",
    ],
)
def test_order_does_not_matter(given):
    p = parser()
    opts = p.parse_args(arrange(p, given.split()))
    assert (opts.admin.name, opts.old, opts.queue) == ("takeover", "old", "q")
    assert (opts.all, opts.dead) == (True, ["n1", "n2"])
    assert str(opts.config) == "x.ini"


def test_words_after_two_dashes_are_no_switches():
    p = parser()
    opts = p.parse_args(arrange(p, ["x.ini", "drop-node", "--", "-odd-"]))
    assert opts.node == "-odd-"


def test_every_command_of_skytools_3_is_there():
    """Source: setadm of 3.x; tag-alive and rename-node were only announced there."""
    wanted = """install create-root create-branch create-leaf pause resume change-provider takeover
        drop-node tag-dead tag-alive status node-status node-info members wait-root wait-provider
        resurrect rename-node"""
    assert set(wanted.split()) <= {one.name for one in COMMANDS}
