# SPDX-License-Identifier: ISC
"""AdminScript: INI COMMAND [ARG...], one command and out. Source: skytools.adminscript."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skytools.compat.dbscript import DBScript
from skytools.core.errors import UsageError

__all__ = ["AdminScript"]


class AdminScript(DBScript):
    """Runs the method cmd_NAME of a command; '-' in names is '_' in methods."""

    commands_without_pidfile: Sequence[str] = ()

    def __init__(self, service_name: str, args: Sequence[str]) -> None:
        super().__init__(service_name, args)
        if len(self.args) < 2:
            sys.stderr.write(f"{service_name}: need command, use --help for help.\n")
            sys.exit(1)
        if self.pidfile:
            self.pidfile += ".admin"
        if self.args[1] in self.commands_without_pidfile:
            self.pidfile = ""

    def work(self) -> Any:
        """Run the command."""
        self.set_single_loop(1)
        name = self.args[1]
        command = getattr(self, "cmd_" + name.replace("-", "_"), None)
        if command is None:
            raise UsageError(f"bad subcommand, see --help for usage: {name}")
        args = self.args[2:]
        _check_count(name, command, len(args))
        return command(*args)

    # helpers for commands

    def fetch_list(self, db: Any, sql: str, args: Any, keycol: str | None = None) -> list[Any]:
        """Return the rows of a query, or one column of them; commits."""
        curs = db.cursor()
        curs.execute(sql, args)
        rows = curs.fetchall()
        db.commit()
        return list(rows) if keycol is None else [row[keycol] for row in rows]

    def display_table(  # noqa: PLR0917 - as scripts call it
        self,
        db: Any,
        desc: str,
        sql: str,
        args: Any = (),
        fields: Sequence[str] = (),
        fieldfmt: Mapping[str, Callable[[Any], str]] | None = None,
    ) -> int:
        """Print the rows of a query as a table; commits. Returns 1, or 0 without rows."""
        rows = self.fetch_list(db, sql, args)
        if not rows:
            return 0
        names = list(fields) or list(rows[0].keys())
        formats = fieldfmt or {}
        cells = [names, *([_cell(formats.get(n), row[n]) for n in names] for row in rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
        if desc:
            sys.stdout.write(f"{desc}\n")
        ruled = [cells[0], ["-" * width for width in widths], *cells[1:]]
        for line in ruled:
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            sys.stdout.write(text.rstrip() + "\n")
        sys.stdout.write("\n")
        return 1

    def exec_stmt(self, db: Any, sql: str, args: Any) -> None:
        """Run a statement and commit."""
        self.log.debug("exec_stmt: %s %s", sql, args)
        db.cursor().execute(sql, args)
        db.commit()

    def exec_query(self, db: Any, sql: str, args: Any) -> list[Any]:
        """Return the rows of a query and commit."""
        self.log.debug("exec_query: %s %s", sql, args)
        return self.fetch_list(db, sql, args)


def _cell(convert: Callable[[Any], str] | None, value: Any) -> str:
    return convert(value) if convert else str(value)


def _check_count(name: str, command: Callable[..., Any], count: int) -> None:
    """Raise UsageError when a command does not take that many arguments."""
    parameters = inspect.signature(command).parameters.values()
    places = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    least = sum(1 for p in places if p.default is p.empty)
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if count < least or (count > len(places) and not many):
        words = " ".join(p.name.upper() for p in places) + (" ..." if many else "")
        raise UsageError(f"{name}: wrong number of arguments; expected: {words.strip() or 'none'}")
