# SPDX-License-Identifier: ISC
"""What a console has open: a database, a default queue, and where results go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skytools.core.cli import Output, format_table
from skytools.core.db import Args, Database, Query
from skytools.core.errors import NOT_INSTALLED, DatabaseError, SkytoolsError, UsageError
from skytools.daemons.qadmin.grammar import Grammar
from skytools.daemons.qadmin.lexer import Statement
from skytools.daemons.qadmin.style import BOLD, paint

# Syntax error; unrecognized parameter (of SHOW).
NOT_SQL = frozenset(("42601", "42704"))


class Exit(Exception):  # noqa: N818 # a wish, no error
    """The console shall end."""


class Told(Exception):  # noqa: N818 # says an exit code, no more
    """A command has said itself what is wrong."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


class Session:
    """Runs statements, each a transaction of its own. `queue` is "" when none is chosen."""

    def __init__(
        self, conninfo: str, out: Output, grammar: Grammar, queue: str = "", *, colour: bool = False
    ) -> None:
        self.out = out
        self.grammar = grammar
        self.queue = queue
        self.colour = colour
        self.db = self._database(conninfo)

    def _database(self, conninfo: str) -> Database:
        return Database("server", conninfo, autocommit=True, lifetime=0, application_name="qadmin")

    def reconnect(self, conninfo: str) -> None:
        """Connect elsewhere; when that fails the old connection stays."""
        fresh = self._database(conninfo)
        fresh.connect()
        self.db.close()
        self.db = fresh

    def close(self) -> None:
        """Disconnect."""
        self.db.close()

    # statements

    def execute(self, statement: Statement) -> None:
        """Run one statement: a command, or SQL as it is."""
        if not statement.tokens:
            return
        found = self.grammar.parse(statement)
        if found is None:
            self._run_unknown(statement)
            return
        try:
            found.command.run(self, found.values)
        except DatabaseError as exc:
            if exc.sqlstate in NOT_INSTALLED:
                raise SkytoolsError(
                    f"{exc}: does this database have the extension? install pgq; makes it"
                ) from exc
            raise

    def _run_unknown(self, statement: Statement) -> None:
        """Run what is no command as SQL; if it is none, name the command that may be meant."""
        try:
            self.run_sql(statement.text)
        except DatabaseError as exc:
            meant = self.grammar.nearest(statement) if exc.sqlstate in NOT_SQL else ""
            if not meant:
                raise
            raise SkytoolsError(f"{exc}: did you mean {meant}? help; lists the commands") from exc

    def run_sql(self, text: str) -> None:
        """Send a statement to the server and show its result, or status."""
        cursor = self.db.execute(text)
        with cursor:
            if cursor.description is None:
                self.status(cursor.statusmessage or "done")
                return
            columns = [column.name for column in cursor.description]
            rows = cursor.fetchall()
        if not self.out.as_json:  # as they are: who writes SQL wants all digits
            rows = [tuple(None if value is None else str(value) for value in row) for row in rows]
        self.table([dict(zip(columns, row, strict=True)) for row in rows], columns)

    def fetch(self, query: Query, args: Args = None) -> list[dict[str, Any]]:
        """Return the rows of a query, by column."""
        with self.db.execute(query, args) as cursor:
            columns = [column.name for column in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make the statements of a block one transaction."""
        self.db.execute("begin").close()
        try:
            yield
        except BaseException:
            if self.db.connected:
                self.db.execute("rollback").close()
            raise
        self.db.execute("commit").close()

    def call(self, query: Query, args: Args = None) -> None:
        """Run a function with ret_code and ret_note, and tell its note.

        Raises SkytoolsError for codes from 400.
        """
        for row in self.fetch(query, args):
            if row["ret_code"] >= 400:
                raise SkytoolsError(f"{row['ret_note']} ({row['ret_code']})")
            self.status(row["ret_note"])

    # results

    def table(
        self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | Sequence[str]
    ) -> None:
        """Show rows; a mapping gives headings."""
        heads = columns if isinstance(columns, Mapping) else {name: name for name in columns}
        if self.out.as_json:
            self.out.data([dict(row) for row in rows])
            return
        first, *rest = format_table(rows, heads)
        self.out.line(paint(first, BOLD) if self.colour else first)
        for line in rest:
            self.out.line(line)
        self.out.line(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")

    def status(self, text: str) -> None:
        """Tell what was done."""
        if self.out.as_json:
            self.out.data({"status": text})
        else:
            self.out.line(text)

    # values of commands

    def queue_of(self, values: Mapping[str, Any]) -> str:
        """Return the queue that a command names, or the default one."""
        queue: str = values.get("queue") or self.queue
        if not queue:
            raise UsageError(
                "which queue? Name it in the command, or choose one:"
                " connect queue=NAME; or qadmin -Q NAME"
            )
        return queue

    def queues_of(self, values: Mapping[str, Any]) -> str | None:
        """Return the queue that a command names; `*` and none at all stand for all (None)."""
        queue: str = values.get("queue") or self.queue or "*"
        return None if queue == "*" else queue


def number(text: str, what: str) -> int:
    """Return a whole number. Raises UsageError."""
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{what}: {text!r} is no number")
    return int(text)


def positive(text: str, what: str) -> float:
    """Return a number above 0, which may have a fraction. Raises UsageError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise UsageError(f"{what}: {text!r} is no positive number")
    return value
