# SPDX-License-Identifier: ISC
"""The definition of a table, from the catalog of one database to be made in another.

The table may get another name; definitions that PostgreSQL writes name it with its schema, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skytools.core.db import Database, Row
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.definitions.columns import Columns, read_columns
from skytools.daemons.londiste.definitions.extras import extras
from skytools.daemons.londiste.definitions.statement import Statement, bare
from skytools.daemons.londiste.names import quote, quote_ident

_TABLE = """
select c.oid, c.relkind::text, c.relpersistence = 'u', array_to_string(c.reloptions, ', '),
       case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
       pg_get_expr(c.relpartbound, c.oid), c.relispartition
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p')"""
_PARENTS = """
select n.nspname || '.' || c.relname
  from pg_inherits i
  join pg_class c on c.oid = i.inhparent
  join pg_namespace n on n.oid = c.relnamespace
 where i.inhrelid = %s order by i.inhseqno"""
_PARTITIONS = """
select n.nspname || '.' || c.relname
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  join pg_namespace n on n.oid = c.relnamespace
 where i.inhparent = %s and c.relispartition and c.relkind in ('r', 'p')
 order by pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', 1"""
_PRIMARY = """
select conname, pg_get_constraintdef(oid), conparentid = 0 from pg_constraint
 where conrelid = %s and contype = 'p'"""


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table as it is there. `bound` is set for a partition, `partition_key` for a parent."""

    name: str
    oid: int
    unlogged: bool
    options: str
    partition_key: str | None
    bound: str | None
    parents: tuple[str, ...]
    columns: Columns
    primary: Row | None
    partitions: tuple[TableDefinition, ...]
    db: Database

    def statements(self, dest: str, *, full: bool, parent: str = "") -> Iterator[Statement]:
        """Give what makes the table under a name; `parent`: as a partition of that table.

        `full`: also defaults, all constraints and indexes, triggers, rules, grants, the owner.
        """
        for column in self.columns.serials if full else ():
            yield from column.sequence_statements(self.db)
        yield Statement(self._create(dest, full=full, parent=parent), dest)
        if self.primary is not None and (self.primary[2] or not parent):
            name, definition, _ = self.primary
            text = f"alter table {quote(dest)} add constraint {quote_ident(name)} {definition}"
            yield Statement(text, name)
        if full:
            yield from self.columns.storage(dest)
        for column in self.columns.serials if full else ():
            yield column.owned_by(dest)
        for part in self.partitions:
            yield from part.statements(self._beside(part.name, dest), full=full, parent=dest)
        if full:
            yield from extras(self.db, self.oid, dest)
            for one in () if self.bound else self.parents:
                text = f"alter table {quote(dest)} inherit {quote(one)}"
                yield Statement(text, f"parent {one}", optional=True)

    def _beside(self, part: str, dest: str) -> str:
        """Return the name of a partition: as there, in the schema of its parent if that moved."""
        if dest == self.name or names.split(part)[0] != names.split(self.name)[0]:
            return part
        return f"{names.split(dest)[0]}.{names.split(part)[1]}"

    def _create(self, dest: str, *, full: bool, parent: str) -> str:
        kind = "unlogged table" if self.unlogged else "table"
        tail = f" partition by {self.partition_key}" if self.partition_key else ""
        if self.options:
            tail += f" with ({self.options})"
        if parent:
            changed = self.columns.of_partition(full=full)
            of = f"partition of {quote(parent)}{changed} {self.bound}"
            return f"create {kind} {quote(dest)} {of}{tail}"
        return f"create {kind} {quote(dest)} ({self.columns.text(full=full)}){tail}"


def table_definition(db: Database, name: str, *, partitions: bool = True) -> TableDefinition:
    """Read the definition of a table. Raises SkytoolsError when there is none."""
    rows = bare(db, _TABLE, names.split(name))
    if not rows:
        raise SkytoolsError(f"{db.name}: table {name} does not exist, or is no table")
    oid, kind, unlogged, options, key, bound, _ = rows[0]
    below = []
    if partitions and kind == "p":
        below = [table_definition(db, row[0]) for row in bare(db, _PARTITIONS, (oid,))]
    primary = bare(db, _PRIMARY, (oid,))
    return TableDefinition(
        name=name,
        oid=oid,
        unlogged=unlogged,
        options=options or "",
        partition_key=key,
        bound=bound,
        parents=tuple(row[0] for row in bare(db, _PARENTS, (oid,))),
        columns=read_columns(db, oid),
        primary=primary[0] if primary else None,
        partitions=tuple(below),
        db=db,
    )
