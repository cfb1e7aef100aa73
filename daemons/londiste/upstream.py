# SPDX-License-Identifier: ISC
"""The nodes above this one, up to the root, and which of them has the rows of a table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.states import in_sync
from skytools.pgq import node
from skytools.pgq.node import NodeState, NodeType

# Handlers of tables that are registered and hold nothing.
NO_DATA = frozenset(("vtable", "fake_local", "virtual_table", "qtable", "qsplitter"))
MAX_DEPTH = 100  # a circle of providers would be longer


@dataclass(slots=True)
class Above:
    """A node above the local one; its connection is in autocommit."""

    name: str
    location: str
    db: Database
    state: NodeState
    _tables: dict[str, TableInfo] | None = field(default=None)

    def tables(self, queue: str) -> dict[str, TableInfo]:
        """Return the tables of the set as that node sees them, by name."""
        if self._tables is None:
            self._tables = {one.name: one for one in api.tables(self.db, queue)}
        return self._tables


def handler_name(table: TableInfo) -> str:
    """Return the name of a table's handler, empty for the default."""
    return table.attrs.get("handler", "").partition("(")[0].strip()


def keeps_rows(table: TableInfo) -> bool:
    """Tell whether a local table is one with rows, as far as its handler says."""
    return handler_name(table) not in NO_DATA


def holds_rows(table: TableInfo | None) -> bool:
    """Tell whether a node has the rows of a table, and all of them."""
    if table is None or not table.local or not keeps_rows(table):
        return False
    return in_sync(table.state)


class Upstream:
    """Connects to the nodes above when they are asked for."""

    def __init__(self, queue: str, local: Database, extra_connstr: str = "") -> None:
        self.queue = queue
        self._local = local
        self._extra = extra_connstr
        self._nodes: list[Above] = []
        self._next = self._state_of(local)
        self.local = self._next
        self._end = self.local.node_type is NodeType.ROOT

    def __enter__(self) -> Upstream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _state_of(self, db: Database) -> NodeState:
        state = node.worker_state(db, self.queue)
        if not db.autocommit:
            db.rollback()
        return state

    @property
    def is_root(self) -> bool:
        """Whether there is nothing above the local node."""
        return self.local.node_type is NodeType.ROOT

    def provider(self) -> Above:
        """Return the node's provider. Raises SkytoolsError on the root."""
        for one in self:
            return one
        raise SkytoolsError(f"node {self.local.node_name} is the root: it has no provider")

    def merged_with(self, table: TableInfo) -> list[str]:
        """Return the other queues whose rows come into a table of the local node."""
        return api.merged_with(self._local, self.queue, table.dest)

    def root(self) -> Above:
        """Return the root, or the highest node that is known."""
        return list(self)[-1]

    def source_of(self, table: str) -> Above:
        """Return the nearest node that has the rows of a table. Raises SkytoolsError."""
        seen = []
        for one in self:
            if holds_rows(one.tables(self.queue).get(table)):
                return one
            seen.append(one.name)
        raise SkytoolsError(
            f"{table}: no node above {self.local.node_name} has its rows in sync;"
            f" looked at: {', '.join(seen) or 'none'}"
        )

    def __iter__(self) -> Iterator[Above]:
        """Give the provider, its provider and so on, up to the root."""
        number = 0
        while number < MAX_DEPTH:
            if number == len(self._nodes) and not self._connect():
                return
            yield self._nodes[number]
            number += 1

    def _connect(self) -> bool:
        state = self._next
        if self._end or state.provider_location is None:
            return False
        text = f"{state.provider_location} {self._extra}".strip()
        db = Database(f"node {state.provider_node}", text, autocommit=True,
                      application_name="londiste")  # fmt: skip
        try:
            self._next = self._state_of(db)
        except SkytoolsError:
            db.close()
            raise
        self._end = self._next.node_type is NodeType.ROOT
        self._nodes.append(Above(state.provider_node, text, db, self._next))
        return True

    def close(self) -> None:
        """Drop the connections."""
        with contextlib.suppress(SkytoolsError):
            for one in self._nodes:
                one.db.close()
