# SPDX-License-Identifier: ISC
"""Connections of the driver itself, for scripts that use it: the compat package's door to psycopg2.

Rows answer to index and name. Source: skytools.psycopgwrapper of Skytools 3.
"""

from __future__ import annotations

from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extras import DictCursor as Cursor
from psycopg2.extras import DictRow

from skytools.core.db import (
    CONNECTION_DEFAULTS,
    Args,
    Database,
    Query,
    Row,
    complete_conninfo,
)
from skytools.core.errors import TransientError

__all__ = [
    "I_AUTOCOMMIT",
    "I_READ_COMMITTED",
    "I_REPEATABLE_READ",
    "I_SERIALIZABLE",
    "Borrowed",
    "Connection",
    "Cursor",
    "DBError",
    "DictRow",
    "OperationalError",
    "connect_database",
]

DBError = psycopg2.Error
OperationalError = psycopg2.OperationalError

I_AUTOCOMMIT = psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT
I_READ_COMMITTED = psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED
I_REPEATABLE_READ = psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
I_SERIALIZABLE = psycopg2.extensions.ISOLATION_LEVEL_SERIALIZABLE


def connect_database(connstr: str, application_name: str = "skytools") -> Connection:
    """Open a connection whose cursors return rows that answer to index and name.

    A peer that vanishes is noticed within half a minute unless the connect string says
    otherwise. Raises psycopg2.Error.
    """
    conn: Connection = psycopg2.connect(
        complete_conninfo(connstr, **CONNECTION_DEFAULTS),
        fallback_application_name=application_name,
        cursor_factory=Cursor,
    )
    return conn


class Borrowed(Database):
    """A script's connection, for our own functions that want a Database.

    Its rows are plain tuples: they are made without a line of Python. Never reconnects.
    """

    def __init__(self, name: str, conn: Connection) -> None:
        super().__init__(name, "", autocommit=conn.autocommit)
        self._conn = conn

    def connect(self) -> Connection:
        """Return the connection. Raises TransientError when it is lost."""
        if self._conn is None or self._conn.closed:
            raise TransientError(f"{self.name}: the connection is lost")
        return self._conn

    def query(self, query: Query, args: Args = None, *, text_times: bool = False) -> list[Row]:
        """Run a statement and return all its rows as tuples."""
        conn: Any = self.connect()
        factory, conn.cursor_factory = conn.cursor_factory, None
        try:
            return super().query(query, args, text_times=text_times)
        finally:
            conn.cursor_factory = factory
