# SPDX-License-Identifier: ISC
"""Rows of table_info that the worker and the copies of a node share. Nothing here commits."""

from __future__ import annotations

from skytools.core.db import Database, Row
from skytools.daemons.londiste.api import TableInfo, decode_attrs

_ROWS = """select t.queue_name, t.table_name, t.merge_state, t.custom_snapshot, t.table_attrs,
        t.dropped_ddl, t.dest_table
   from londiste.table_info t"""
_UNDER_WAY = f"""{_ROWS} where t.queue_name = %s and t.local
    and (t.merge_state not in ('ok', '?') or t.custom_snapshot is not null)
  order by t.nr, t.table_name"""
_TO_COPY = f"""{_ROWS} where t.queue_name = %s and t.local and t.merge_state is null
  order by t.nr, t.table_name"""
_ANY_OPEN = """select exists (select from londiste.table_info t where t.queue_name = %s and t.local
    and (t.merge_state is distinct from 'ok' or t.custom_snapshot is not null))"""
_ONE = f"{_ROWS} where t.queue_name = %s and t.table_name = %s and t.local"
_LOCKED = f"{_ONE} for update of t"
_IN_COPY = f"""{_ROWS} where t.local and t.merge_state <> 'ok' and t.merge_state <> '?'
  order by t.queue_name, t.nr"""
_SHARING = f"""{_ROWS} where t.local and t.queue_name <> %s
    and coalesce(t.dest_table, t.table_name) = %s order by t.queue_name"""
# A copy that has ended badly may hold the row as long as the server has not noticed.
_SET_ERROR = """
update londiste.table_info set copy_error = %(error)s
 where (queue_name, table_name) in (
       select t.queue_name, t.table_name from londiste.table_info t
        where t.queue_name = %(queue)s and t.table_name = %(table)s and t.local
          and t.merge_state is distinct from 'ok'
          for update skip locked)"""
# Through JSON, as nodes of Londiste 3 do not have it.
_ERRORS = """select t.table_name, to_jsonb(t) ->> 'copy_error' from londiste.table_info t
    where t.queue_name = %s and t.local and to_jsonb(t) ->> 'copy_error' is not null
    order by t.nr"""


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


def under_way(db: Database, queue: str) -> list[TableInfo]:
    """Return the local tables between begun and simply in sync. Their roles are not looked up."""
    return [_table(row) for row in db.query(_UNDER_WAY, (queue,))]


def to_copy(db: Database, queue: str) -> list[TableInfo]:
    """Return the local tables that no copy has begun with. They may be thousands."""
    return [_table(row) for row in db.query(_TO_COPY, (queue,))]


def is_any_open(db: Database, queue: str) -> bool:
    """Tell whether there is any table of these two kinds."""
    return bool(db.value(_ANY_OPEN, (queue,)))


def locked_table(db: Database, queue: str, table: str, *, wait: bool = True) -> TableInfo | None:
    """Lock the row of a local table up to the end of the transaction; None: there is none.

    Without `wait`, None also when somebody else has it locked.
    """
    row = db.query_one(_LOCKED if wait else f"{_LOCKED} skip locked", (queue, table))
    return None if row is None else _table(row)


def local_table(db: Database, queue: str, table: str) -> TableInfo | None:
    """Return a local table, without its role, and without a lock; None: there is none."""
    row = db.query_one(_ONE, (queue, table))
    return None if row is None else _table(row)


def tables_in_copy(db: Database) -> list[tuple[str, TableInfo]]:
    """Return (queue, table) of all that are being copied into this database."""
    return [(row[0], _table(row)) for row in db.query(_IN_COPY)]


def tables_sharing(db: Database, queue: str, dest: str) -> list[tuple[str, TableInfo]]:
    """Return (queue, table) of other queues that bring rows to the same table here."""
    return [(row[0], _table(row)) for row in db.query(_SHARING, (queue, dest))]


def set_error(db: Database, queue: str, table: str, error: str) -> None:
    """Keep what the copy of a table has failed with, until the table is a step further."""
    db.execute(_SET_ERROR, {"error": error, "queue": queue, "table": table}).close()


def errors(db: Database, queue: str) -> dict[str, str]:
    """Return table -> what its copy has failed with last."""
    return {row[0]: row[1] for row in db.query(_ERRORS, (queue,))}
