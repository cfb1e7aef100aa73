# SPDX-License-Identifier: ISC
"""What a program such as Londiste adds to the administration of a cascade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from skytools.core.db import Database
from skytools.pgq.admin.facts import NodeInfo
from skytools.pgq.types import Event


class NodeView(Protocol):
    """A node as a hook sees it."""

    @property
    def name(self) -> str:
        """Name of the node."""

    @property
    def queue(self) -> str:
        """The queue that the cascade is about."""

    @property
    def db(self) -> Database:
        """Connection to the node's database; statements open a transaction."""

    @property
    def info(self) -> NodeInfo:
        """What the node said of itself when it was looked at last."""


class Hooks:
    """Additions to the commands; what is not overridden adds nothing.

    A hook does not commit: its caller does, on every node that the hook was given. A command that
    was interrupted is repeated, so each hook may run again and must then come to the same end.
    Objections are texts, one line each; a command with objections is refused before it has
    changed anything.
    """

    # Made on a new node when missing, in this order.
    extensions: ClassVar[tuple[str, ...]] = ("pgq", "pgq_node")

    def on_create(self, new: NodeView, provider: NodeView | None) -> None:
        """Fill a node in the transaction that makes it; a root has no provider."""

    def on_rename(self, node: NodeView, old_name: str, new_name: str) -> None:
        """Rename what refers to a node; on every member, in the transaction of its rename."""

    def move_objections(self, node: NodeView, provider: NodeView) -> list[str]:
        """Tell what speaks against giving a node another provider."""
        return []

    def takeover_objections(self, old: NodeView | None, new: NodeView) -> list[str]:
        """Tell what speaks against `new` as successor of the root; `old` None: it is dead."""
        return []

    def before_promote(self, old: NodeView | None, new: NodeView) -> None:
        """Prepare the successor, in the transaction that promotes it.

        `old` refuses writes and `new` has all of its events; None: the old root is dead. The
        time that this takes is downtime for writers.
        """

    def after_promote(self, old: NodeView | None, new: NodeView) -> None:
        """Complete the work when the successor is open for writing, in another transaction."""

    def status(self, node: NodeView) -> Mapping[str, str]:
        """Return what the tree of `status` shows of a node besides lag and tick.

        {"Tables": "3/0/0"} is printed as a line `Tables: 3/0/0`. Called in a thread for each node.
        """
        return {}

    def lost_event(self, event: Event) -> str:
        """Return the heading under which resurrect counts a lost event: table and kind."""
        return f"{event.extra1 or '-'} {event.type}"
