# SPDX-License-Identifier: ISC
"""What scripts ask of a cascade: its nodes, who reads whom, connections to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skytools.compat.adminscript import AdminScript
from skytools.compat.pgq.nodeinfo import NodeInfo, QueueInfo
from skytools.compat.psycopgwrapper import Connection, DBError
from skytools.core.errors import UsageError


class CascadeFacts(AdminScript):
    """A script at a node, which the key `initial_db_name` of the ini leads to."""

    initial_db_name: str = "node_db"
    queue_name: str = ""
    queue_info: QueueInfo | None = None
    local_node: str = "?"
    root_node_name: str | None = None

    # the cascade as a whole

    def load_local_info(self) -> QueueInfo:
        """Look at the local node and keep what it knows. Raises UsageError when it is none."""
        info = self.load_queue_info(self.get_database(self.initial_db_name))
        self.queue_info = info
        self.local_node = info.local_node.name or "?"
        return info

    def load_queue_info(self, db: Connection) -> QueueInfo:
        """Return what the node of a connection knows; commits. Raises UsageError."""
        curs = db.cursor()
        curs.execute("select * from pgq_node.get_node_info(%s)", [self.queue_name])
        node: Any = curs.fetchone()
        if node is None or node["ret_code"] >= 400:
            raise UsageError(node["ret_note"] if node else f"no node of {self.queue_name}")
        curs.execute("select * from pgq_node.get_queue_locations(%s)", [self.queue_name])
        members: list[Any] = curs.fetchall()
        info = QueueInfo(self.queue_name, node, members)
        db.commit()
        return info

    @property
    def known(self) -> QueueInfo:
        """The cascade as the local node knows it, looked at when first wanted."""
        return self.queue_info or self.load_local_info()

    def find_root_node(self) -> str:
        """Return the name of the root: that of the nodes above, up to the last."""
        name = self.known.local_node.name or "?"
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            node = self.get_node_info(name)
            if node.type == "root":
                self.root_node_name = name
                return name
            name = node.provider_node or name
        raise UsageError(f"the nodes {', '.join(sorted(seen))} read each other: no root")

    def find_root_db(self, initial_loc: str | None = None) -> Connection:
        """Return a connection to the root, found from the local node or from a connect string."""
        if initial_loc:
            db = self.get_database("root_db", connstr=initial_loc, autocommit=1, profile="remote")
            self.queue_info = self.load_queue_info(db)
        root = self.get_node_database(self.find_root_node())
        assert root is not None  # it has just answered
        return root

    # nodes

    def node_alive(self, node_name: str) -> bool:
        """Tell whether a node is a member and not tagged as dead."""
        member = self.known.get_member(node_name)
        return member is not None and not member.dead

    def get_node_database(self, node_name: str) -> Connection | None:
        """Return the connection to a node (autocommit), None: unknown, or tagged as dead."""
        member = self.known.get_member(node_name)
        if member is None or member.dead:
            return None
        name = f"node.{node_name}"
        return self.get_database(name, connstr=member.location, autocommit=1, profile="remote")

    def close_node_database(self, node_name: str) -> None:
        """Drop the connection to a node."""
        self.close_database(f"node.{node_name}")

    def load_node_info(self, node_name: str) -> NodeInfo | None:
        """Ask a node what it is, None: it does not answer, or is none."""
        try:
            db = self.get_node_database(node_name)
            return self._ask(db) if db is not None else None
        except DBError as exc:
            self.log.warning("node %s: %s", node_name, str(exc).strip().partition("\n")[0])
            self.close_node_database(node_name)
            return None

    def _ask(self, db: Connection) -> NodeInfo | None:
        curs = db.cursor()
        curs.execute("select * from pgq_node.get_node_info(%s)", [self.queue_name])
        row: Any = curs.fetchone()
        return NodeInfo(self.queue_name, row) if row and row["ret_code"] < 400 else None

    def get_node_info_opt(self, node_name: str) -> NodeInfo | None:
        """Return what a node is, asked once; None: it does not answer."""
        found = self.known.get_node(node_name) or self.load_node_info(node_name)
        if found is not None:
            self.known.add_node(found)
        return found

    def get_node_info(self, node_name: str) -> NodeInfo:
        """Return what a node is, asked once. Raises UsageError when it does not answer."""
        found = self.get_node_info_opt(node_name)
        if found is None:
            raise UsageError(f"node {node_name} is unknown, dead, or does not answer")
        return found

    def find_provider(self, node_name: str) -> str:
        """Return the name of the node that a node reads."""
        return self.get_node_info(node_name).provider_node or ""

    def node_depends(self, sub_node: str, top_node: str) -> bool:
        """Tell whether a node is below another one."""
        name = sub_node
        for _ in self.known.member_map:
            above = self.find_provider(name)
            if above in (top_node, name):
                return above == top_node and sub_node != top_node
            name = above
        return False

    def get_node_subscriber_list(self, node_name: str) -> list[str]:
        """Return the names of the nodes that are subscribed to a node."""
        rows = self._rows(node_name, "select * from pgq_node.get_subscriber_info(%s)")
        return [row["node_name"] for row in rows]

    def get_node_consumer_map(self, node_name: str) -> dict[str, Any]:
        """Return consumer name -> row of pgq_node.get_consumer_info()."""
        rows = self._rows(node_name, "select * from pgq_node.get_consumer_info(%s)")
        return {row["consumer_name"]: row for row in rows}

    def find_subscribers_for(self, parent_node_name: str) -> list[str]:
        """Return the live nodes that say that they read a node."""
        found = []
        for name in self.known.member_map:
            node = self.get_node_info_opt(name) if name != parent_node_name else None
            if node is not None and node.provider_node == parent_node_name:
                found.append(name)
        return found

    def find_consumer(self, node: str = "", consumer: str = "") -> tuple[str, str]:
        """Return (node, consumer) of a consumer, or of a node's worker. Raises UsageError."""
        if not node and not consumer:
            raise UsageError("which one? Give --node or --consumer")
        if not consumer:
            return node, self.get_node_info(node).worker_name or ""
        local = self.known.local_node.name or ""
        for name in [node] if node else [local, *self.known.member_map]:
            if self.node_alive(name) and consumer in self.get_node_consumer_map(name):
                return name, consumer
        raise UsageError(f"no consumer {consumer} on {node or 'any node'}")

    def node_cmd(
        self, node_name: str, sql: str, args: list[Any], quiet: bool = False
    ) -> Sequence[Any]:
        """Run a function with ret_code and ret_note on a node; log its notes, return its rows."""
        db = self.get_node_database(node_name)
        if db is None:
            raise UsageError(f"node {node_name} is unknown or dead")
        rows: Sequence[Any] = self.exec_cmd(db, sql, args, quiet=quiet, prefix=node_name)
        return rows

    def _rows(self, node_name: str, sql: str) -> list[Any]:
        db = self.get_node_database(node_name)
        if db is None:
            raise UsageError(f"node {node_name} is unknown or dead")
        return self.fetch_list(db, sql, [self.queue_name])
