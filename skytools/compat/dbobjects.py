# SPDX-License-Identifier: ISC
"""Making database objects that are not there yet. Source: skytools.sqltools of Skytools 3."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skytools.compat.names import fq_name
from skytools.compat.quoting import quote_ident
from skytools.core.sqltokens import parse_statements

# Folders searched for SQL files; scripts may add theirs.
sql_locations = ["/usr/share/skytools3", "/usr/share/skytools"]


class DBObject:
    """An object that create() makes from SQL, or from a file of it."""

    def __init__(self, name: str, sql: str | None = None, sql_file: str | None = None) -> None:
        self.name = name
        self.sql = sql
        self.sql_file = sql_file

    def exists(self, curs: Any) -> int:
        """Return 1 when the object is there."""
        raise AssertionError(f"{type(self).__name__} must define exists()")

    def create(self, curs: Any, log: logging.Logger | None = None) -> None:
        """Make the object. Raises LookupError when nothing says how."""
        what = type(self).__name__.removeprefix("DB").lower()
        if log:
            log.info("installing %s: %s", what, self.name)
        if self.sql:
            statements = [self.sql]
        elif self.sql_file:
            statements = list(parse_statements(Path(self.find_file()).read_text("utf-8")))
        else:
            raise LookupError(f"{what} {self.name} does not exist, and no SQL is given to make it")
        for statement in statements:
            curs.execute(statement)

    def find_file(self) -> str:
        """Return the path of the SQL file. Raises LookupError."""
        return installer_find_file(self.sql_file or "")


class DBSchema(DBObject):
    """A schema."""

    def exists(self, curs: Any) -> int:
        """Return 1 when the schema is there."""
        return _ask(curs, "select to_regnamespace(%s) is not null", quote_ident(self.name))


class DBTable(DBObject):
    """A table."""

    def exists(self, curs: Any) -> int:
        """Return 1 when the table is there."""
        schema, _, name = fq_name(self.name).partition(".")
        quoted = f"{quote_ident(schema)}.{quote_ident(name)}"
        return _ask(curs, "select to_regclass(%s) is not null", quoted)


class DBFunction(DBObject):
    """A function with so many arguments."""

    def __init__(
        self, name: str, nargs: int, sql: str | None = None, sql_file: str | None = None
    ) -> None:
        super().__init__(name, sql, sql_file)
        self.nargs = nargs

    def exists(self, curs: Any) -> int:
        """Return 1 when the function is there."""
        schema, _, name = fq_name(self.name).partition(".")
        return _ask(
            curs,
            """select exists (select from pg_catalog.pg_proc
                where pronamespace = to_regnamespace(%s) and proname = %s and pronargs = %s)""",
            quote_ident(schema),
            name,
            self.nargs,
        )


class DBLanguage(DBObject):
    """A procedural language."""

    def __init__(self, name: str) -> None:
        super().__init__(name, sql=f"create language {quote_ident(name)}")

    def exists(self, curs: Any) -> int:
        """Return 1 when the language is there."""
        sql = "select exists (select from pg_catalog.pg_language where lanname = %s)"
        return _ask(curs, sql, self.name)


def _ask(curs: Any, sql: str, *args: Any) -> int:
    curs.execute(sql, args)
    return int(curs.fetchone()[0])


def db_install(curs: Any, obj_list: Sequence[DBObject], log: logging.Logger | None = None) -> None:
    """Make those of the objects that are not there."""
    for item in obj_list:
        if not item.exists(curs):
            item.create(curs, log)
        elif log:
            log.info("%s is installed", item.name)


def installer_find_file(filename: str) -> str:
    """Return the path of an SQL file, searched in `sql_locations`. Raises LookupError."""
    if os.sep in filename and Path(filename).is_file():
        return filename
    for folder in sql_locations:
        path = Path(folder) / filename
        if path.is_file():
            return str(path)
    raise LookupError(f"SQL file {filename} not found in {', '.join(sql_locations)}")


def installer_apply_file(db: Any, filename: str, log: logging.Logger) -> None:
    """Run an SQL file on a connection and commit."""
    path = installer_find_file(filename)
    log.info("applying %s", path)
    curs = db.cursor()
    for statement in parse_statements(Path(path).read_text("utf-8")):
        curs.execute(statement)
    db.commit()
