# SPDX-License-Identifier: ISC
"""Nodes of a cascade as scripts of Skytools 3 know them. Source: pgq.cascade.nodeinfo."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from skytools.pgq.admin import status
from skytools.pgq.admin.facts import NodeInfo as Facts
from skytools.pgq.node import NodeType

__all__ = ["MemberInfo", "NodeInfo", "QueueInfo"]

Row = Mapping[str, Any]


class MemberInfo:
    """A row of pgq_node.get_queue_locations()."""

    def __init__(self, row: Row) -> None:
        self.name: str = row["node_name"]
        self.location: str = row["node_location"]
        self.dead: bool = row["dead"]


class NodeInfo:
    """A row of pgq_node.get_node_info(); a node that did not answer has only a name."""

    def __init__(
        self,
        queue_name: str,
        row: Row | None,
        main_worker: bool = True,
        node_name: str | None = None,
        location: str | None = None,
    ) -> None:
        known = row or {}
        self.queue_name = queue_name
        self.main_worker = main_worker
        self.location = location
        self.name: str | None = node_name or known.get("node_name")
        self.type: str = known.get("node_type") or "dead"
        self.global_watermark: int | None = known.get("global_watermark")
        self.local_watermark: int | None = known.get("local_watermark")
        self.completed_tick: int | None = known.get("worker_last_tick")
        self.last_tick = self.completed_tick
        self.provider_node: str | None = known.get("provider_node")
        self.provider_location: str | None = known.get("provider_location")
        self.worker_name: str | None = known.get("worker_name")
        self.consumer_name = self.worker_name
        self.paused: bool = bool(known.get("worker_paused"))
        self.uptodate: bool = bool(known.get("worker_uptodate", True))
        self.combined_queue: str | None = known.get("combined_queue")
        self.combined_type: str | None = known.get("combined_type")
        self.target_for: Sequence[str] | None = known.get("target_for")
        self.node_attrs = dict(parse_qsl(known.get("node_attrs") or "", keep_blank_values=True))
        self._lines: list[str] = []

    def add_info_line(self, ln: str) -> None:
        """Add a line to what the tree shows of the node."""
        self._lines.append(ln)

    def get_infolines(self) -> list[str]:
        """Return the lines that were added."""
        return list(self._lines)

    def get_title(self) -> str:
        """Return name and type."""
        return f"{self.name} ({self.type})"

    def _seen(self, dead: bool) -> status.Seen:
        seen = status.Seen(self.name or "?", self.location or "", dead)
        if not dead and self.type in set(NodeType):
            seen.info = Facts(
                NodeType(self.type), seen.name, self.global_watermark, self.local_watermark,
                self.provider_node or "", self.provider_location, self.combined_queue,
                NodeType(self.combined_type) if self.combined_type else None,
                self.worker_name or "", self.paused, self.uptodate, self.completed_tick or 0,
                None,
            )  # fmt: skip
        seen.more = dict(line.partition(": ")[::2] for line in self._lines)
        return seen


class QueueInfo:
    """A cascade: its local node and members, and the nodes that were added."""

    def __init__(self, queue_name: str, info_row: Row, member_rows: Sequence[Row]) -> None:
        self.queue_name = queue_name
        self.local_node = NodeInfo(queue_name, info_row)
        self.member_map = {one.name: one for one in map(MemberInfo, member_rows)}
        self.node_map: dict[str, NodeInfo] = {}
        self.add_node(self.local_node)

    def get_member(self, name: str) -> MemberInfo | None:
        """Return a member by name."""
        return self.member_map.get(name)

    def get_node(self, name: str) -> NodeInfo | None:
        """Return a node that was added."""
        return self.node_map.get(name)

    def add_node(self, node: NodeInfo) -> None:
        """Add a node to the tree."""
        self.node_map[node.name or "?"] = node

    def tag_dead(self, node_name: str) -> None:
        """Treat a member as dead."""
        if node_name in self.member_map:
            self.member_map[node_name].dead = True

    def print_tree(self) -> None:
        """Print the tree of nodes."""
        self._print(compact=False)

    def print_tree_compact(self) -> None:
        """Print the tree with a line for each node."""
        self._print(compact=True)

    def _print(self, *, compact: bool) -> None:
        seen = {}
        for name, node in self.node_map.items():
            member = self.member_map.get(name)
            seen[name] = node._seen(dead=member is not None and member.dead)
        for line in status.tree(seen, compact=compact):
            sys.stdout.write(line + "\n")
