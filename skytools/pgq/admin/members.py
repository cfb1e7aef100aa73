# SPDX-License-Identifier: ISC
"""The members of a cascade and the connections to them."""

from __future__ import annotations

from collections.abc import Iterable

from skytools.core.db import Database, merge_conninfo
from skytools.core.errors import NOT_INSTALLED, DatabaseError, SkytoolsError, UsageError
from skytools.pgq import node as pgq_node
from skytools.pgq.admin.facts import NodeInfo, node_info
from skytools.pgq.admin.site import Site
from skytools.pgq.node import Location

# A dead host must not hold up a command for minutes.
CONNECT_TIMEOUT = "5"
DURABLE = """select set_config('synchronous_commit',
    replace(current_setting('synchronous_commit'), 'off', 'local'), false)"""


class Node:
    """A node and the connection to it."""

    def __init__(self, name: str, queue: str, db: Database, location: str = "") -> None:
        self.name = name
        self.queue = queue
        self.db = db
        self.location = location
        self._info: NodeInfo | None = None

    @property
    def info(self) -> NodeInfo:
        """What the node said of itself when it was looked at last."""
        return self._info or self.look()

    def look(self) -> NodeInfo:
        """Ask the node what it is. Ends the transaction."""
        found = look_at(self.db, self.queue)
        if found is None:
            raise SkytoolsError(
                f"{self.db.name}: the database is no node of the cascade of queue {self.queue}"
            )
        self._info = found
        return found

    def __str__(self) -> str:
        return self.name


def look_at(db: Database, queue: str) -> NodeInfo | None:
    """Return what a database is in a cascade, None: nothing. Ends the transaction."""
    try:
        return node_info(db, queue)
    except DatabaseError as exc:
        if exc.sqlstate not in NOT_INSTALLED:
            raise
        return None
    finally:
        db.rollback()


def open_database(name: str, conninfo: str) -> Database:
    """Return a connection whose commits are on disk, whatever the server's settings.

    A root that forgot in a crash that it was closed would be a second root.
    """
    db = Database(name, conninfo, application_name="cascade admin")
    db.on_connect(_durable)
    return db


def _durable(db: Database) -> None:
    db.query_alone(DURABLE)


class Cascade:
    """All nodes, as the local one knows them; connected to when needed.

    `dead`: nodes to be left out, besides those that are tagged.
    """

    def __init__(self, site: Site, dead: Iterable[str] = ()) -> None:
        self.site = site
        self.queue = site.queue
        self.db = open_database("node_db", site.db)
        self.dead = set(dead)
        self._nodes: dict[str, Node] = {}
        self._locations: dict[str, Location] | None = None
        self._local: Node | None = None

    @property
    def local(self) -> Node:
        """The node at which the command was given. Raises UsageError when it is none."""
        if self._local is None:
            info = look_at(self.db, self.queue)
            if info is None:
                raise UsageError(
                    f"the database is no node of the cascade of queue {self.queue};"
                    " make it one: create-root, create-branch or create-leaf"
                )
            where = self.locations[info.node_name].location
            self._local = Node(info.node_name, self.queue, self.db, where)
            self._local.look()
            self._nodes[info.node_name] = self._local
        return self._local

    @property
    def locations(self) -> dict[str, Location]:
        """Every member by name, dead ones too."""
        if self._locations is None:
            self._locations = {one.node: one for one in pgq_node.locations(self.db, self.queue)}
            self.db.rollback()
        return self._locations

    def widen(self) -> None:
        """Add the members that only the nodes above know as yet, as far as they answer."""
        known = self.locations
        node, seen = self.local, set[str]()
        try:
            while not node.info.is_root and node.name not in seen:
                seen.add(node.name)
                node = self.node(node.info.provider_node)
                node.look()
                # By location too: a node that is being renamed has two names for a while.
                places = {one.location for one in known.values()}
                for one in pgq_node.locations(node.db, self.queue):
                    if one.location not in places:
                        known.setdefault(one.node, one)
                node.db.rollback()
        except SkytoolsError:
            node.db.close()

    def is_dead(self, name: str) -> bool:
        """Tell whether a node is tagged, or is to be taken, as dead."""
        found = self.locations.get(name)
        return name in self.dead or (found is not None and found.dead)

    def member(self, name: str) -> Location:
        """Return a member. Raises UsageError when there is none of that name."""
        if name not in self.locations:
            self.widen()
        found = self.locations.get(name)
        if found is None:
            known = ", ".join(sorted(self.locations)) or "none"
            raise UsageError(
                f"node {name} is unknown in the cascade of queue {self.queue}; members: {known}"
            )
        return found

    def node(self, name: str) -> Node:
        """Return a member with its connection, which is opened when first used."""
        if name == self.local.name:
            return self.local
        if name not in self._nodes:
            self._nodes[name] = self.connect(self.member(name).location, name)
        return self._nodes[name]

    def connect(self, location: str, name: str = "") -> Node:
        """Return a node at a connect string that need not be of a member; the name is asked for."""
        text = f"{location} {self.site.extra_connstr}".strip()
        if "connect_timeout" not in text:
            text = merge_conninfo(text, connect_timeout=CONNECT_TIMEOUT)
        db = open_database(f"node {name}" if name else "provider", text)
        made = Node(name, self.queue, db, location)
        if not name:
            try:
                made.name = made.look().node_name
            except SkytoolsError:
                db.close()
                raise
            db.name = f"node {made.name}"
        return made

    def reachable(self, name: str) -> Node | None:
        """Return a node that answers and is what its name says, None otherwise."""
        try:
            one = self.node(name)
            return one if one.look().node_name == name else None
        except SkytoolsError:
            return None

    def alive(self) -> list[Node]:
        """Return the nodes that are not dead, the local one first."""
        names = sorted(self.locations, key=lambda name: (name != self.local.name, name))
        return [self.node(name) for name in names if not self.is_dead(name)]

    def close(self) -> None:
        """Drop every connection."""
        for one in self._nodes.values():
            one.db.close()
        self.db.close()
