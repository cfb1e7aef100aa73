# SPDX-License-Identifier: ISC
"""A root that was away looks whether its place was taken, and then refuses writes."""

from __future__ import annotations

import logging

from skytools.core.db import Database, complete_conninfo
from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.pgq import api, node
from skytools.pgq.api import call
from skytools.pgq.node import Location

log = logging.getLogger("skytools")

PERIOD = 60.0  # seconds between two looks at the other members
CONNECT_TIMEOUT = "3"
# The subscription that a takeover leaves in the place of a dead root.
GRAVESTONE = "{}.gravestone"
_DEMOTE = call("pgq_node.demote_root", "i_queue_name", "i_step", "i_new_provider")
_CLOSED = "select queue_disable_insert from pgq.queue where queue_name = %s"


class Succession:
    """The part of a root's worker that notices a successor."""

    def __init__(self, ctx: Context, queue: str, extra_connstr: str) -> None:
        self._ctx = ctx
        self._queue = queue
        self._extra = extra_connstr
        self._looked_at: float | None = None

    def is_closed(self, target: Database, own: str) -> bool:
        """Tell whether the root refuses writes; closes it when another has taken its place.

        Commits.
        """
        closed = bool(target.value(_CLOSED, (self._queue,)))
        target.commit()
        if closed or not self._due():
            return closed
        members = node.locations(target, self._queue)
        target.commit()
        for member in members:
            if member.node != own and not member.dead and self._has_gravestone(member, own):
                self._close(target, own, member.node)
                return True
        return False

    def _due(self) -> bool:
        now = self._ctx.clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < PERIOD:
            return False
        self._looked_at = now
        return True

    def _has_gravestone(self, member: Location, own: str) -> bool:
        self._ctx.notify.watchdog()
        place = f"{member.location} {self._extra}".strip()
        try:
            place = complete_conninfo(place, connect_timeout=CONNECT_TIMEOUT)
            database = self._ctx.new_database(member.node, place)
        except ValueError:
            return False
        try:
            return bool(api.consumer_info(database, self._queue, GRAVESTONE.format(own)))
        except SkytoolsError:
            return False  # who cannot be asked tells nothing
        finally:
            database.close()

    def _close(self, target: Database, own: str, heir: str) -> None:
        log.critical(
            "node %s has taken the place of %s while that was away: writes are refused now; run"
            " resurrect here",
            heir,
            own,
        )
        node.check(target.query_one(_DEMOTE, (self._queue, 1, heir)))
        api.make_durable(target)
        target.commit()
