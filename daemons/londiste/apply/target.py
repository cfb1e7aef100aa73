# SPDX-License-Identifier: ISC
"""What must be known of a table to write into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from skytools.core.db import Database
from skytools.daemons.londiste import names
from skytools.daemons.londiste.apply.changes import ApplyError

_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '', a.attidentity = 'a'
  from pg_attribute a
 where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
 order by a.attnum"""
# Of a plain table: columns of each unique index that a row can be found by.
_INDEXES = """
select array(select a.attname::text from pg_attribute a
              where a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts - 1]))
  from pg_index i join pg_class c on c.oid = i.indrelid
 where i.indrelid = %s and c.relkind = 'r' and i.indisunique and i.indisvalid
   and i.indpred is null and i.indexprs is null"""
_TABLE = """
select c.oid, c.relkind::text,
       exists (select from pg_trigger t
                where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('R', 'A'))
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'f')"""


@dataclass(frozen=True)
class Column:
    """A column; `always` of those GENERATED ALWAYS AS IDENTITY."""

    name: str
    type: str
    generated: bool
    always: bool

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return names.quote_ident(self.name)


@dataclass(frozen=True)
class TargetTable:
    """A table of the database. `fires`: it has triggers that see what replication does.

    `indexed` has the sets of columns by which the server finds a row at once.
    """

    name: str
    oid: int
    kind: str
    fires: bool
    columns: dict[str, Column]
    indexed: frozenset[frozenset[str]] = frozenset()

    @cached_property
    def quoted(self) -> str:
        """The name as SQL."""
        return names.quote(self.name)

    @cached_property
    def only(self) -> str:
        """The name as SQL for UPDATE and DELETE: children by inheritance are left alone."""
        return f"only {self.quoted}" if self.kind == "r" else self.quoted

    @property
    def takes_copy(self) -> bool:
        """Whether COPY can write into it."""
        return self.kind != "v"

    def column(self, name: str, event_id: int) -> Column:
        """Return a column. Raises ApplyError when there is none of that name."""
        found = self.columns.get(name)
        if found is None:
            raise ApplyError(
                f"table {self.name} has no column {name}, which event {event_id} brings;"
                " add it here, or have it done by: londiste execute"
            )
        return found


def load(db: Database, name: str) -> TargetTable:
    """Read what the catalog says. Raises ApplyError when there is no such table."""
    row = db.query_one(_TABLE, names.split(name))
    if row is None:
        raise ApplyError(f"{db.name}: table {name} does not exist")
    oid, kind, fires = row
    columns = {one[0]: Column(*one) for one in db.query(_COLUMNS, (oid,))}
    indexed = frozenset(frozenset(one[0]) for one in db.query(_INDEXES, (oid,)))
    return TargetTable(name, oid, kind, fires, columns, indexed)
