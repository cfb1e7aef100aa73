# SPDX-License-Identifier: ISC
"""A statement of a definition, and how definitions are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database, Row

# Names in definitions then have their schema, always.
BARE_PATH = "set local search_path to pg_catalog"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to run at the destination.

    `what` names the object in messages, empty for what needs no mention. `optional`: when it
    cannot be run here, as a role or a function is not there, that is said and left at that.
    """

    text: str
    what: str = ""
    optional: bool = False


def bare(db: Database, query: str, args: tuple[object, ...]) -> list[Row]:
    """Run a query about definitions with names in full."""
    if db.autocommit:
        return _alone(db, query, args)
    db.execute(BARE_PATH).close()
    rows = db.query(query, args)
    db.execute("set local search_path to default").close()
    return rows


def _alone(db: Database, query: str, args: tuple[object, ...]) -> list[Row]:
    db.execute("begin").close()
    try:
        db.execute(BARE_PATH).close()
        return db.query(query, args)
    finally:
        db.execute("rollback").close()
