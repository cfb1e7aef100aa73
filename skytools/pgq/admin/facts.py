# SPDX-License-Identifier: ISC
"""What nodes say of themselves. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.pgq.api import call
from skytools.pgq.node import NodeType

_NODE_INFO = call("pgq_node.get_node_info", "i_queue_name")


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node of a cascade. On a root the worker is its own provider and at the newest tick.

    `target_for`: queues whose leaf in the same database copies its events into this queue; empty
    before pgq_node 3.5.
    """

    node_type: NodeType
    node_name: str
    global_watermark: int | None
    local_watermark: int | None
    provider_node: str
    provider_location: str | None
    combined_queue: str | None
    combined_type: NodeType | None
    worker_name: str
    worker_paused: bool
    worker_uptodate: bool
    worker_last_tick: int
    node_attrs: str | None
    target_for: tuple[str, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether the node takes events from its own database."""
        return self.node_type is NodeType.ROOT

    @property
    def is_leaf(self) -> bool:
        """Whether the node has no queue."""
        return self.node_type is NodeType.LEAF


def node_info(db: Database, queue: str) -> NodeInfo | None:
    """Return what a database is in the cascade of a queue, None when it is no node of it."""
    row = db.query_one(_NODE_INFO, (queue,))
    assert row is not None
    code, note, *facts = row
    if code == 404:
        return None
    if code >= 400:
        raise SkytoolsError(f"{db.name}: {note}")
    facts[0] = NodeType(facts[0])
    facts[7] = NodeType(facts[7]) if facts[7] else None
    facts[13:] = [tuple(facts[13] or ())] if len(facts) > 13 else []
    return NodeInfo(*facts)
