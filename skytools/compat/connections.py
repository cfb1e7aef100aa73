# SPDX-License-Identifier: ISC
"""A script's cached connection."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from skytools.compat.psycopgwrapper import (
    I_AUTOCOMMIT,
    I_READ_COMMITTED,
    Connection,
    DBError,
    connect_database,
)
from skytools.compat.quoting import quote_ident
from skytools.core.errors import UsageError

# Notifications that nobody fetches are kept up to here.
MAX_NOTIFIES = 1000


def level_of(wanted: Mapping[str, Any]) -> int:
    """Return the isolation level that get_database() was asked for."""
    if wanted.get("autocommit"):
        return I_AUTOCOMMIT
    level = wanted.get("isolation_level", -1)
    return I_READ_COMMITTED if level == -1 else int(level)


class Cached:
    """A connection, what it was opened for and since when."""

    def __init__(self, name: str, connstr: str, conn: Connection, level: int) -> None:
        self.name = name
        self.connstr = connstr
        self.conn = conn
        self.level = level
        self._since = time.monotonic()
        self._seen = 0

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self._since

    def require_level(self, wanted: Mapping[str, Any]) -> None:
        """Raise UsageError when another isolation level is wanted than it was opened with."""
        unsaid = not wanted.get("autocommit") and wanted.get("isolation_level", -1) == -1
        if not unsaid and level_of(wanted) != self.level:
            raise UsageError(f"{self.name}: the cached connection has another isolation level")

    def listen(self, channel: str) -> None:
        """Listen on a channel, committed at once."""
        self._alone(f"listen {quote_ident(channel)}")

    def unlisten(self, channel: str) -> None:
        """Stop listening on a channel, or on all: "*"."""
        self._alone("unlisten *" if channel == "*" else f"unlisten {quote_ident(channel)}")

    def _alone(self, sql: str) -> None:
        self.conn.cursor().execute(sql)
        if self.level != I_AUTOCOMMIT:
            self.conn.commit()

    def notified(self) -> bool:
        """Tell whether a notification has come since the last call; reads without blocking.

        They stay in conn.notifies for the script, the newest of them. A connection that is
        lost counts as news: the next round opens another.
        """
        try:
            self.conn.poll()
        except DBError:
            self.close()
            return True
        notifies = self.conn.notifies
        fresh = len(notifies) > self._seen
        del notifies[:-MAX_NOTIFIES]
        self._seen = len(notifies)
        return fresh

    def close(self) -> None:
        """Drop the connection. Never raises."""
        with contextlib.suppress(DBError):
            self.conn.close()


def open_cached(name: str, connstr: str, wanted: Mapping[str, Any], job_name: str) -> Cached:
    """Connect. Raises psycopg2.Error."""
    conn = connect_database(connstr, job_name)
    level = level_of(wanted)
    conn.set_isolation_level(level)
    return Cached(name, connstr, conn, level)
