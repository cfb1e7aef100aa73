# SPDX-License-Identifier: ISC
"""The commands by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from skytools.pgq.admin import (
    create,
    membership,
    move,
    pausing,
    resurrect,
    show,
    status,
    switchover,
)
from skytools.pgq.admin.job import Job


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words (with `?`: may be left out) and switches, see cli.SWITCHES."""

    name: str
    run: Callable[[Job], int]
    help: str
    words: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


_NEW = ("NAME?", "CONNSTR?")
_MAKES = ("worker", "nocheck", "dry-run", "consumer")
_WHO = ("node", "consumer", "timeout")
COMMANDS: tuple[Command, ...] = (
    Command("install", create.install, "make the extensions that are missing", (), ("dry-run",)),
    Command("create-root", create.create_root, "make the local database the root of a cascade",
            _NEW, ("provider", *_MAKES)),
    Command("create-branch", create.create_branch, "make it a node that has the queue",
            _NEW, ("provider", "sync-watermark", *_MAKES)),
    Command("create-leaf", create.create_leaf, "make it a node that only reads",
            _NEW, ("provider", "merge", *_MAKES)),
    Command("drop-node", membership.drop_node, "take a node out, with its queue",
            ("NODE",), ("dead", "dry-run")),
    Command("rename-node", membership.rename_node, "give a node another name",
            ("OLD", "NEW"), ("dead", "dry-run")),
    Command("tag-dead", membership.tag_dead, "let all nodes know that a node is dead",
            ("NODE",), ("dead", "dry-run")),
    Command("tag-alive", membership.tag_alive, "let all nodes know that a node is alive",
            ("NODE",), ("dead", "dry-run")),
    Command("status", status.status, "show the tree of nodes", (), ("compact", "dead")),
    Command("node-status", show.node_status, "show the local node and what reads it"),
    Command("node-info", show.node_info, "show all that the local node says of itself"),
    Command("members", show.members, "list the nodes as the local one knows them"),
    Command("pause", pausing.pause, "pause a worker or consumer", (), _WHO),
    Command("resume", pausing.resume, "let a worker or consumer go on", (), _WHO),
    Command("change-provider", move.change_provider, "let a node or consumer read another node",
            (), ("provider", "node", "consumer", "timeout", "force", "dead", "dry-run")),
    Command("takeover", switchover.takeover, "let a node take the place of another", ("OLD",),
            ("node", "consumer", "all", "dead", "dead-root", "dead-branch", "timeout", "force",
             "dry-run", "rehearse", "abort", "target")),
    Command("resurrect", resurrect.resurrect, "bring a former root back as a branch",
            (), ("dead", "timeout", "dry-run")),
    Command("wait-root", show.wait_root, "wait until the local node has what is on the root now",
            (), ("timeout",)),
    Command("wait-provider", show.wait_provider, "the same with what is on its provider now",
            (), ("timeout",)),
)  # fmt: skip
