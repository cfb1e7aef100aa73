# SPDX-License-Identifier: ISC
"""Rows of table_info that the worker and the copies of a node share. Nothing here commits."""

from __future__ import annotations

from skytools.core.db import Database, Row
from skytools.daemons.londiste.api import TableInfo, decode_attrs

_ROWS = """select t.queue_name, t.table_name, t.merge_state, t.custom_snapshot, t.table_attrs,
        t.dropped_ddl, t.dest_table
   from londiste.table_info t"""
_UNFINISHED = f"""{_ROWS} where t.queue_name = %s and t.local
    and (t.merge_state is distinct from 'ok' or t.custom_snapshot is not null)
  order by t.nr, t.table_name"""
_LOCKED = f"{_ROWS} where t.queue_name = %s and t.table_name = %s and t.local for update of t"
_IN_COPY = f"""{_ROWS} where t.local and t.merge_state <> 'ok' and t.merge_state <> '?'
  order by t.queue_name, t.nr"""
_SHARING = f"""{_ROWS} where t.local and t.queue_name <> %s
    and coalesce(t.dest_table, t.table_name) = %s order by t.queue_name"""


def _table(row: Row) -> TableInfo:
    _, name, state, snapshot, attrs, ddl, dest = row
    return TableInfo(
        name=name,
        state=state,
        snapshot=snapshot,
        attrs=decode_attrs(attrs),
        dropped_ddl=ddl,
        dest=dest or "",
    )


def unfinished_tables(db: Database, queue: str) -> list[TableInfo]:
    """Return the local tables that are not simply in sync. Their roles are not looked up."""
    return [_table(row) for row in db.query(_UNFINISHED, (queue,))]


def locked_table(db: Database, queue: str, table: str, *, wait: bool = True) -> TableInfo | None:
    """Lock the row of a local table up to the end of the transaction; None: there is none.

    Without `wait`, None also when somebody else has it locked.
    """
    row = db.query_one(_LOCKED if wait else f"{_LOCKED} skip locked", (queue, table))
    return None if row is None else _table(row)


def tables_in_copy(db: Database) -> list[tuple[str, TableInfo]]:
    """Return (queue, table) of all that are being copied into this database."""
    return [(row[0], _table(row)) for row in db.query(_IN_COPY)]


def tables_sharing(db: Database, queue: str, dest: str) -> list[tuple[str, TableInfo]]:
    """Return (queue, table) of other queues that bring rows to the same table here."""
    return [(row[0], _table(row)) for row in db.query(_SHARING, (queue, dest))]
