# SPDX-License-Identifier: ISC
"""Watermarks of a cascade: up go the marks of what is done, down comes the lowest of them."""

from __future__ import annotations

import logging

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.pgq import node
from skytools.pgq.batch import Batch
from skytools.pgq.node import Location, NodeState, NodeType
from skytools.pgq.types import Event

log = logging.getLogger("skytools")


class Watermarks:
    """The part of a node's worker that has to do with watermarks.

    A branch with the attribute sync_watermark (names of nodes) keeps a global watermark of its
    own for itself and what is below: the lowest of the root's, its own, and those of the nodes.
    """

    def __init__(self, ctx: Context, queue: str, extra_connstr: str) -> None:
        self._ctx = ctx
        self._queue = queue
        self._extra = extra_connstr
        self._published_at: float | None = None
        self._partners: list[str] = []
        self._from_root: int | None = None
        self._own: int | None = None

    def use(self, target: Database, state: NodeState, period: float) -> None:
        """Read the node's attributes, when they matter: in a branch, or when report() has work."""
        if state.node_type is not NodeType.BRANCH and not self._is_due(period):
            return
        attributes = node.node_attributes(target, self._queue)
        names = attributes.get("sync_watermark", "").split(",")
        self._partners = [name.strip() for name in names if name.strip()]

    def publish_global(self, target: Database, period: float) -> None:
        """Tell all nodes, from the root, what none of them needs any more. Commits."""
        if self._due(period):
            node.set_global_watermark(target, self._queue, None)
            target.commit()

    def arrived(self, target: Database, tick_id: int) -> None:
        """Take the root's watermark over, in the open transaction."""
        self._from_root = tick_id
        if not self._partners:
            node.set_global_watermark(target, self._queue, tick_id)

    def translated(self, event: Event) -> Event:
        """Return the event as those below shall see it: with the mark that holds for them."""
        if self._partners and event.type == "pgq.global-watermark" and self._own is not None:
            mark = min(self._own, int(event.data or 0))
            return event._replace(data=str(mark))
        return event

    def report(
        self, target: Database, provider: Database, state: NodeState, batch: Batch, period: float
    ) -> None:
        """Tell the provider how far we are, when it is time to. Commits on both sides."""
        if not self._due(period):
            return
        mark = node.local_watermark(target, self._queue)
        target.commit()
        done = batch.prev_tick.id if self._partners else min(mark, batch.tick.id)
        node.set_subscriber_watermark(provider, self._queue, state.node_name, done)
        provider.commit()
        if self._partners:
            self._sync(target, mark)

    def _due(self, period: float) -> bool:
        due = self._is_due(period)
        if due:
            self._published_at = self._ctx.clock.monotonic()
        return due

    def _is_due(self, period: float) -> bool:
        if self._published_at is None:
            return True
        return self._ctx.clock.monotonic() - self._published_at >= period

    def _sync(self, target: Database, mark: int) -> None:
        """Move our own global watermark to the lowest of all marks. Commits."""
        members = {one.node: one for one in node.locations(target, self._queue)}
        target.commit()
        marks = [mark]
        if self._from_root is not None:
            marks.append(self._from_root)
        for name in self._partners:
            found = members.get(name)
            if found is None:
                log.warning("sync_watermark: node %s is unknown, nothing is moved", name)
                return
            if not found.dead:
                marks.append(self._ask(found))
        self._own = min(marks)
        node.set_global_watermark(target, self._queue, self._own)
        target.commit()

    def _ask(self, member: Location) -> int:
        database = self._ctx.new_database(member.node, f"{member.location} {self._extra}".strip())
        try:
            return node.local_watermark(database, self._queue)
        except SkytoolsError as exc:
            raise SkytoolsError(f"sync_watermark: node {member.node}: {exc}") from exc
        finally:
            database.close()
