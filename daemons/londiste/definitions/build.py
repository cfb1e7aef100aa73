# SPDX-License-Identifier: ISC
"""Runs the statements of a definition in the open transaction of the destination."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.definitions.statement import Statement
from skytools.daemons.londiste.names import quote_ident

log = logging.getLogger("londiste")

_SCHEMA = "select 1 from pg_namespace where nspname = %s"


def schema_statement(db: Database, name: str) -> list[Statement]:
    """Return what makes the schema of a table, nothing when it is there."""
    schema, _ = names.split(name)
    if db.query_one(_SCHEMA, (schema,)):
        return []
    return [Statement(f"create schema {quote_ident(schema)}", f"schema {schema}")]


def create(db: Database, statements: Iterable[Statement]) -> list[str]:
    """Run statements; returns what could not be made and is not needed for replication."""
    left_out = []
    db.execute("set local check_function_bodies to off").close()
    for one in statements:
        if one.what and not one.optional:
            log.info("Creating %s", one.what)
        db.execute("savepoint londiste_create").close()
        try:
            db.execute(one.text).close()
        except DatabaseError as exc:
            db.execute("rollback to savepoint londiste_create").close()
            if not one.optional:
                raise SkytoolsError(f"{exc}; while making {one.what or one.text}") from exc
            left_out.append(f"{one.what}: {exc}")
            log.warning("not made: %s: %s", one.what, exc)
        db.execute("release savepoint londiste_create").close()
    return left_out
