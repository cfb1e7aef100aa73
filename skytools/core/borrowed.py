# SPDX-License-Identifier: ISC
"""A caller's own connection of psycopg2, for functions that want a Database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from skytools.core.db import Args, Database, Query, Row
from skytools.core.errors import TransientError, UsageError

# Where wrappers of other libraries, and cursors, keep the connection.
_INSIDE = ("connection", "driver_connection", "dbapi_connection")
_LAYERS = 5


def driver_connection(given: Any) -> Any:
    """Return the connection of psycopg2 behind a connection, a cursor or a wrapper of these.

    Raises UsageError when there is none.
    """
    found = given
    for _ in range(_LAYERS):
        if hasattr(found, "get_transaction_status"):
            return found
        inner = (getattr(found, name, None) for name in _INSIDE)
        found = next((one for one in inner if one is not None and not callable(one)), None)
        if found is None:
            break
    raise UsageError(f"{type(given).__name__} is no connection or cursor of psycopg2")


class Borrowed(Database):
    """The connection stays the caller's: nothing is committed, closed or connected again here.

    Rows are plain tuples, whatever the caller's cursors make. Errors are ours, not the driver's.
    """

    def __init__(self, name: str, conn: Any) -> None:
        super().__init__(name, "", autocommit=conn.autocommit)
        self._conn = conn

    def connect(self) -> Any:
        """Return the connection. Raises TransientError when it is lost."""
        if self._conn is None or self._conn.closed:
            raise TransientError(f"{self.name}: the connection is lost")
        return self._conn

    def execute(self, query: Query, args: Args = None) -> Any:
        """Run a statement and return its cursor."""
        with self._plain_rows():
            return super().execute(query, args)

    def query(self, query: Query, args: Args = None, *, text_times: bool = False) -> list[Row]:
        """Run a statement and return all its rows."""
        with self._plain_rows():
            return super().query(query, args, text_times=text_times)

    @contextlib.contextmanager
    def _plain_rows(self) -> Iterator[None]:
        conn = self.connect()
        factory, conn.cursor_factory = conn.cursor_factory, None
        try:
            yield
        finally:
            conn.cursor_factory = factory
