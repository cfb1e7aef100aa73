# SPDX-License-Identifier: ISC
"""Connections to PostgreSQL. The only user of psycopg2, beside the door for scripts of Skytools 3.

A Database connects when first used, reconnects after a loss and turns every error of the driver
into TransientError (try again) or DatabaseError (the server said no).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import sql

from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.core.grants import remedy

__all__ = [
    "Database",
    "Notify",
    "check_conninfo",
    "complete_conninfo",
    "merge_conninfo",
    "split_password",
    "sql",
]

Query = str | sql.Composable
Args = Sequence[Any] | Mapping[str, Any] | None
Row = tuple[Any, ...]

# For what a connect string does not say: a peer that vanished is noticed within half a minute.
CONNECTION_DEFAULTS = {
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}

# SQLSTATE classes and codes that go away by themselves.
TRANSIENT_CLASSES = ("08", "53", "57P", "58")
TRANSIENT_CODES = frozenset(
    (
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled: a timeout or an administrator
        "25006",  # read_only_sql_transaction: a failover is under way
    )
)

SEND_STATEMENTS = 100  # without result, that go to the server at once

_TIMESTAMPTZ = 1184
_TEXT_TIMES = psycopg2.extensions.new_type(
    (_TIMESTAMPTZ,), "TEXT_TIMESTAMPTZ", psycopg2.extensions.UNICODE
)


@dataclass(frozen=True, slots=True)
class Notify:
    """One asynchronous notification."""

    channel: str
    payload: str
    pid: int


def check_conninfo(text: str) -> str | None:
    """Return what is wrong with the syntax of a connect string, None when it is good."""
    try:
        psycopg2.extensions.parse_dsn(text)
    except psycopg2.ProgrammingError as exc:
        return f"is no connect string: {_one_line(exc)}"
    return None


def merge_conninfo(text: str, **changes: str) -> str:
    """Return the connect string with some parameters replaced."""
    return psycopg2.extensions.make_dsn(text, **changes)


def complete_conninfo(text: str, **defaults: str) -> str:
    """Return the connect string with those of the parameters added that it does not give."""
    given = psycopg2.extensions.parse_dsn(text)
    missing = {key: value for key, value in defaults.items() if key not in given}
    return psycopg2.extensions.make_dsn(text, **missing)


def split_password(text: str) -> tuple[str, str]:
    """Return the connect string without its password, and the password ("" when it has none).

    For programs that are started with it: their arguments can be read by everyone.
    """
    given = psycopg2.extensions.parse_dsn(text)
    password = given.pop("password", "")
    return psycopg2.extensions.make_dsn(**given), password


def _one_line(exc: BaseException) -> str:
    lines = [line.strip() for line in str(exc).splitlines()]
    return " ".join(line for line in lines if line)


def translate(name: str, exc: psycopg2.Error) -> SkytoolsError:
    """Return our error for the driver's. `name` is the connection, told in the text."""
    code = exc.pgcode or ""
    primary = exc.diag.message_primary if code else None
    text = f"{name}: {primary or _one_line(exc)}"
    if code in TRANSIENT_CODES or code.startswith(TRANSIENT_CLASSES):
        return TransientError(text)
    if not code and isinstance(exc, psycopg2.OperationalError | psycopg2.InterfaceError):
        return TransientError(text)
    if not code and type(exc) is psycopg2.DatabaseError:
        return TransientError(text)  # a connection that died while a result was read
    if code and exc.diag.message_detail:
        text += f" [{exc.diag.message_detail}]"
    hint = (exc.diag.message_hint or "") if code else ""
    return DatabaseError(text, sqlstate=code, hint=hint or remedy(exc))


class Database:
    """One named connection.

    Not for sharing between threads. In the default mode a transaction begins with the first
    statement and the caller commits; with `autocommit` each statement stands alone.
    `lifetime` is in seconds, 0 keeps the connection for ever.
    """

    def __init__(
        self,
        name: str,
        conninfo: str,
        *,
        autocommit: bool = False,
        lifetime: float = 3600.0,
        application_name: str = "skytools",
        on_connect: Callable[[], None] | None = None,
        on_error: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.conninfo = conninfo
        self.autocommit = autocommit
        self.lifetime = lifetime
        self.application_name = application_name
        self._on_connect = on_connect
        self._on_error = on_error
        self._conn: psycopg2.extensions.connection | None = None
        self._connected_at = 0.0
        self._channels: list[str] = []
        self._setup: list[Callable[[Database], None]] = []
        self._unsent: list[bytes] = []

    # connection

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as the client knows."""
        return self._conn is not None and not self._conn.closed

    def connect(self) -> psycopg2.extensions.connection:
        """Return the open connection, opening it when needed. Raises TransientError."""
        if self._conn is not None and not self._conn.closed:
            return self._conn
        with self._translated():
            conn = psycopg2.connect(
                complete_conninfo(self.conninfo, **CONNECTION_DEFAULTS),
                fallback_application_name=self.application_name,
            )
            conn.autocommit = True
            try:
                with conn.cursor() as cursor:
                    for channel in self._channels:
                        cursor.execute(_listen(channel))
                conn.autocommit = self.autocommit
            except psycopg2.Error:
                conn.close()
                raise
        self._conn, self._connected_at = conn, time.monotonic()
        self._unsent.clear()
        if self._on_connect is not None:
            self._on_connect()
        try:
            for setup in self._setup:
                setup(self)
        except SkytoolsError:
            self.close()
            raise
        return conn

    def on_connect(self, setup: Callable[[Database], None]) -> None:
        """Run a function on every new connection, before anything else (session settings)."""
        self._setup.append(setup)
        if self.connected:
            setup(self)

    def close(self) -> None:
        """Drop the connection; an open transaction is rolled back by the server."""
        conn, self._conn = self._conn, None
        self._unsent.clear()
        if conn is not None:
            with contextlib.suppress(psycopg2.Error):
                conn.close()

    def cancel(self) -> None:
        """Ask the server to cancel the running statement. From any thread; never raises."""
        conn = self._conn
        if conn is not None:
            with contextlib.suppress(psycopg2.Error):
                conn.cancel()

    def check_lifetime(self) -> None:
        """Close a connection that is older than its lifetime. Call between transactions."""
        if self._conn is not None and 0 < self.lifetime < time.monotonic() - self._connected_at:
            self.close()

    @property
    def server_version(self) -> int:
        """Server version as a number: 150004 is 15.4."""
        return self.connect().server_version

    # statements

    def send(self, query: Query, args: Args = None) -> None:
        """Run a statement whose result nobody wants: together with the next, or at commit().

        Up to SEND_STATEMENTS go in one round trip, in their order; an error is raised by what
        comes after. With autocommit it is run at once.
        """
        with self.connect().cursor() as cursor, self._translated():
            self._unsent.append(cursor.mogrify(query, args))
        if self.autocommit or len(self._unsent) >= SEND_STATEMENTS:
            self.flush()

    def flush(self) -> None:
        """Have the server do what was sent."""
        if self._unsent and self._conn is not None:
            statements, self._unsent = b";\n".join(self._unsent), []
            with self._translated(), self._conn.cursor() as cursor:
                cursor.execute(statements)

    def execute(self, query: Query, args: Args = None) -> psycopg2.extensions.cursor:
        """Run a statement and return its cursor."""
        cursor = self.connect().cursor()
        with self._translated():
            self._run(cursor, query, args)
        return cursor

    def _run(self, cursor: psycopg2.extensions.cursor, query: Query, args: Args) -> None:
        """Run a statement, and what was sent before it in the same round trip."""
        if self._unsent:
            unsent, self._unsent = self._unsent, []
            cursor.execute(b";\n".join([*unsent, cursor.mogrify(query, args)]))
        else:
            cursor.execute(query, args)

    def query(self, query: Query, args: Args = None, *, text_times: bool = False) -> list[Row]:
        """Run a statement and return all its rows; with `text_times` times as they are sent.

        To make datetime objects of them costs more than all the rest of a row.
        """
        with self.connect().cursor() as cursor, self._translated():
            if text_times:
                psycopg2.extensions.register_type(_TEXT_TIMES, cursor)
                # The C converter itself, without a call into Python for each value.
                casts: dict[int, object] = cursor.string_types  # type: ignore[assignment] # a dict now
                casts[_TIMESTAMPTZ] = psycopg2.extensions.UNICODE
            self._run(cursor, query, args)
            return cursor.fetchall()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Make each statement of the block a transaction of its own; none may be open."""
        conn = self.connect()
        with self._translated():
            conn.autocommit = True
        try:
            yield
        finally:
            if not conn.closed:
                conn.autocommit = self.autocommit

    def query_alone(self, query: Query, args: Args = None) -> list[Row]:
        """Run a statement alone(), in one round trip, and return its rows."""
        with self.alone():
            return self.query(query, args)

    def query_one(self, query: Query, args: Args = None) -> Row | None:
        """Run a statement and return its first row, None without rows."""
        with self.execute(query, args) as cursor, self._translated():
            return cursor.fetchone()

    def value(self, query: Query, args: Args = None) -> Any:
        """Run a statement and return the first column of its first row, None without rows."""
        row = self.query_one(query, args)
        return row[0] if row else None

    def execute_values(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run `insert ... values %s` with many rows a statement."""
        self.flush()
        with self.connect().cursor() as cursor, self._translated():
            psycopg2.extras.execute_values(cursor, query, rows, page_size=1000)

    def text(self, query: Query) -> str:
        """Return a statement as it would be sent, without running it."""
        return query if isinstance(query, str) else query.as_string(self.connect())

    def copy(self, statement: Query, stream: Any, size: int = 8192) -> int:
        """Run a COPY with a file-like object of text or bytes, `size` at a time; count rows."""
        self.flush()
        with self.connect().cursor() as cursor, self._translated():
            cursor.copy_expert(statement, stream, size)
            return cursor.rowcount

    def commit(self) -> None:
        """Commit the open transaction, if any. After an error the outcome may be unknown."""
        self.flush()
        if self._conn is not None:
            with self._translated():
                self._conn.commit()

    def rollback(self) -> None:
        """Roll back; a connection that is already broken is closed. Never raises."""
        self._unsent.clear()
        if self._conn is None:
            return
        try:
            self._conn.rollback()
        except psycopg2.Error:
            self.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Database]:
        """Commit at the end of the block, roll back when it raises."""
        try:
            yield self
        except BaseException:
            self.rollback()
            raise
        self.commit()

    # notifications

    def listen(self, channel: str) -> None:
        """Listen, now and after every reconnect. Call outside a transaction; it is committed."""
        if channel in self._channels:
            self.connect()
            return
        self.execute(_listen(channel)).close()
        if not self.autocommit:
            self.commit()
        self._channels.append(channel)

    def unlisten(self, channel: str) -> None:
        """Stop listening on a channel."""
        if channel in self._channels:
            self._channels.remove(channel)
            self.execute(sql.SQL("unlisten {}").format(sql.Identifier(channel))).close()
            if not self.autocommit:
                self.commit()

    def notifies(self) -> list[Notify]:
        """Return what arrived since the last call, reading the socket without blocking.

        Call it before waiting on fileno(): an earlier query may have read the socket already.
        """
        conn = self.connect()
        with self._translated():
            conn.poll()
        found = [Notify(n.channel, n.payload, n.pid) for n in conn.notifies]
        conn.notifies.clear()
        return found

    def fileno(self) -> int:
        """Return the socket, for select()."""
        return self.connect().fileno()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as exc:
            if self._on_error is not None:
                self._on_error()
            self._unsent.clear()
            if self._conn is not None and self._conn.closed:
                self._conn = None
            raise translate(self.name, exc) from exc


def _listen(channel: str) -> sql.Composed:
    return sql.SQL("listen {}").format(sql.Identifier(channel))
