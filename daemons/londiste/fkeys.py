# SPDX-License-Identifier: ISC
"""Foreign keys of the tables of a node: there, dropped for a copy, or never made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skytools.core.db import Database
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import ForeignKey, TableInfo
from skytools.daemons.londiste.states import Stage, State


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a foreign key is not there."""

    text: str
    remedy: str


_PENDING = """select from_table, to_table, fkey_name, fkey_def
    from londiste.pending_fkeys order by 1, 3"""
_ADD = """insert into londiste.pending_fkeys (from_table, to_table, fkey_name, fkey_def)
    values (%s, %s, %s, %s) on conflict do nothing"""


def pending(db: Database) -> list[ForeignKey]:
    """Return all that were dropped for copies in a database, whatever the queue."""
    return [ForeignKey(*row) for row in db.query(_PENDING)]


def add_pending(db: Database, one: ForeignKey) -> None:
    """Let the worker make a foreign key as soon as both tables are in sync."""
    db.execute(_ADD, (one.from_table, one.to_table, one.name, one.definition)).close()


def why_pending(db: Database, queue: str, one: ForeignKey, tables: Sequence[TableInfo]) -> Reason:
    """Return why a dropped foreign key has not come back."""
    local = {table.dest: table for table in tables}
    for name in (one.from_table, one.to_table):
        table = local.get(name)
        if table is None:
            return Reason(
                f"{name} is not in the set of queue {queue} at this node",
                f"londiste add-table {name}, or run: {one.definition}",
            )
        if State.parse(table.state).stage is not Stage.OK or table.snapshot is not None:
            return Reason(
                f"{name} is not in sync: {table.state or 'not begun'}",
                "it comes back by itself; londiste wait-sync",
            )
    return Reason("both tables are in sync", "the worker restores it; see that it runs and its log")


def present(db: Database, tables: Sequence[TableInfo]) -> list[ForeignKey]:
    """Return the foreign keys that the tables have, each once."""
    found: dict[tuple[str, str], ForeignKey] = {}
    for table in tables:
        for one in api.find_table_fkeys(db, table.dest):
            found[one.from_table, one.name] = one
    return list(found.values())
