# SPDX-License-Identifier: ISC
"""What all phases of a copy share: the table's row, the connection to the node, waiting."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.core.signals import HasFileno
from skytools.daemons.londiste import api, copies
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy import session
from skytools.daemons.londiste.copy.connections import Connections
from skytools.daemons.londiste.copy.source import consumer_name
from skytools.daemons.londiste.states import Snapshot, State

log = logging.getLogger("skytools")

POLL_SECONDS = 0.5
OLD_COPY_SECONDS = 30.0

_LOCK = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended(%s, 0))"
_LOCK_OWNER = """
select pid from pg_catalog.pg_locks l
 where l.locktype = 'advisory' and l.granted and l.database = (
       select oid from pg_catalog.pg_database where datname = current_database())
   and (l.classid::int8 << 32) | l.objid::int8 = hashtextextended(%s, 0)"""


class Anew(SkytoolsError):  # noqa: N818 # no error: somebody wants the copy to begin again
    """The table's row was set back while the copy was at work."""


class Gone(SkytoolsError):  # noqa: N818 # no error
    """The table is no longer a local table of the set."""


class Stopped(SkytoolsError):  # noqa: N818 # no error
    """The process was asked to end."""


class Job:
    """One table, and the connection to the node on which its state is kept.

    The connection works in the role replica, listens to changes of states, and holds the lock
    that keeps a second copy of the table away.
    """

    def __init__(
        self, ctx: Context, cfg: LondisteConfig, table: str, connections: Connections
    ) -> None:
        self.ctx = ctx
        self.cfg = cfg
        self.queue = cfg.queue_name
        self.name = table
        self.connections = connections
        self.db = self.loading("node")
        self.consumer = consumer_name(cfg, table)

    def loading(self, use: str) -> Database:
        """Return a connection to the node, in the role replica, for a use."""
        return self.connections.get(use, "db", self.cfg.db, self.name, setup=session.for_loading)

    def new_connection(self) -> Database:
        """Return one more connection to the node, for work beside `db`; the caller closes it."""
        made = Database("db", self.cfg.db, application_name=self.db.application_name, lifetime=0)
        made.on_connect(session.for_loading)
        return made

    def begin(self) -> None:
        """Connect, and become the only copy of the table. Raises SkytoolsError."""
        self.db.listen(api.SYNC_CHANNEL)
        key = self._lock_key
        deadline = self.ctx.clock.monotonic() + OLD_COPY_SECONDS
        while not self.db.value(_LOCK, (key,)):
            owner = self.db.value(_LOCK_OWNER, (key,))
            self.db.rollback()
            if self.ctx.clock.monotonic() > deadline:
                raise SkytoolsError(f"{self.name}: another copy is at work, server process {owner}")
            self.wait(POLL_SECONDS)
        self.db.commit()

    @property
    def _lock_key(self) -> str:
        return f"londiste copy {self.queue} {self.name}"

    def release(self) -> None:
        """Let go of the table; the connections are good for the next one."""
        self.db.rollback()
        self.db.query_alone(_UNLOCK, (self._lock_key,))

    # the row

    def row(self) -> TableInfo:
        """Lock and return the table's row. Raises Gone."""
        found = copies.locked_table(self.db, self.queue, self.name)
        if found is None:
            self.db.rollback()
            raise Gone(f"{self.name}: is no longer a table of this node")
        return found

    def role(self) -> TableInfo:
        """Return the table with what it may do among those that are merged. Raises Gone."""
        found = api.table(self.db, self.queue, self.name)
        self.db.rollback()
        if found is None or not found.local:
            raise Gone(f"{self.name}: is no longer a table of this node")
        return found

    def require(self, *states: State) -> TableInfo:
        """Lock and return the row, which must be in one of the states. Raises Anew, Gone."""
        row = self.row()
        if State.parse(row.state) not in states:
            self.db.rollback()
            raise Anew(f"{self.name}: is {row.state or 'to be copied'} now")
        return row

    def check(self, state: State) -> None:
        """See that the row is in a state, without waiting for its lock. Raises Anew, Gone."""
        found = copies.local_table(self.db, self.queue, self.name)
        self.db.rollback()
        if found is None:
            raise Gone(f"{self.name}: is no longer a table of this node")
        if State.parse(found.state) != state:
            raise Anew(f"{self.name}: is {found.state or 'to be copied'} now")

    def set_state(self, state: State, snapshot: Snapshot | None = None) -> None:
        """Change the state in the open transaction."""
        text = None if snapshot is None else snapshot.text
        api.set_table_state(self.db, self.queue, self.name, text, state.text)

    # waiting

    def wait(self, seconds: float, wake: Sequence[HasFileno] = ()) -> None:
        """Wait, less when our state changes or a socket of `wake` is readable. Raises Stopped.

        No transaction may be open.
        """
        end = self.ctx.clock.monotonic() + seconds
        while not self._heard() and (left := end - self.ctx.clock.monotonic()) > 0:
            self.ctx.wait(left, (self.db, *wake))
            self.look()
            if wake:
                break
        self.look()

    def _heard(self) -> bool:
        """Tell whether anything was said that is not about another table of the queue."""
        ours, others = api.sync_payload(self.queue, self.name), api.sync_payload(self.queue, "")
        told = [one.payload for one in self.db.notifies()]
        return any(one == ours or not one.startswith(others) for one in told)

    def look(self) -> None:
        """See whether we are to end. Raises Stopped."""
        self.ctx.notify.watchdog()
        if self.ctx.stopping:
            raise Stopped(f"{self.name}: stopped")

    def tell(self, text: str) -> None:
        """Say what is done now."""
        log.info("%s: %s", self.name, text)
        self.ctx.notify.status(f"{self.name}: {text}")
