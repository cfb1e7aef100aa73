# SPDX-License-Identifier: ISC
"""Foreign keys of the tables of a node: there, dropped for a copy, or never made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skytools.core.db import Database
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import ForeignKey, TableInfo


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a foreign key is not there."""

    text: str
    remedy: str


_PENDING = """select from_table, to_table, fkey_name, fkey_def
    from londiste.pending_fkeys order by 1, 3"""
_UNREADY = """select queue_name, coalesce(dest_table, table_name), merge_state
    from londiste.table_info
    where local and coalesce(dest_table, table_name) = any (%s)
      and (merge_state is distinct from 'ok' or custom_snapshot is not null)
    order by 2, 1"""
_ADD = """insert into londiste.pending_fkeys (from_table, to_table, fkey_name, fkey_def)
    values (%s, %s, %s, %s) on conflict do nothing"""


def pending(db: Database) -> list[ForeignKey]:
    """Return all that were dropped for copies in a database, whatever the queue."""
    return [ForeignKey(*row) for row in db.query(_PENDING)]


def add_pending(db: Database, one: ForeignKey) -> None:
    """Let the worker make a foreign key as soon as both tables are in sync."""
    db.execute(_ADD, (one.from_table, one.to_table, one.name, one.definition)).close()


def why_pending(db: Database, one: ForeignKey) -> Reason:
    """Return why a dropped foreign key has not come back: copies of its tables, in any queue.

    A table that no queue has here is not waited for.
    """
    found = db.query(_UNREADY, ([one.from_table, one.to_table],))
    if found:
        queue, name, state = found[0]
        return Reason(
            f"{name} is not in sync with queue {queue}: {state or 'not begun'}",
            "it comes back by itself; londiste wait-sync",
        )
    return Reason(
        "no copy is in its way",
        f"the worker makes it; see that it runs and its log, or run: {one.definition}",
    )


def present(db: Database, tables: Sequence[TableInfo]) -> list[ForeignKey]:
    """Return the foreign keys that the tables have, each once."""
    found: dict[tuple[str, str], ForeignKey] = {}
    for table in tables:
        for one in api.find_table_fkeys(db, table.dest):
            found[one.from_table, one.name] = one
    return list(found.values())
