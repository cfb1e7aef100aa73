# SPDX-License-Identifier: ISC
"""What the catalog says of a table: columns, key, and the parts that hold its rows."""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.daemons.londiste import names


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `base` is the name of its type without length, that of a domain's base type."""

    name: str
    type: str
    base: str
    not_null: bool
    generated: bool
    identity: str  # "a" always, "d" by default, "" no

    @property
    def ident(self) -> sql.Identifier:
        """The name for use in a statement."""
        return sql.Identifier(self.name)


@dataclass(frozen=True, slots=True)
class Part:
    """A table that holds rows itself: the table, or a partition of it. `blocks` of 8 KiB."""

    schema: str
    table: str
    blocks: int

    @property
    def ident(self) -> sql.Identifier:
        """The name for use in a statement."""
        return sql.Identifier(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of one database. `key` is the primary key, else another that is unique."""

    name: str
    kind: str  # pg_class.relkind
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    parts: tuple[Part, ...]
    bytes: int
    rows: int  # as estimated by the last ANALYZE

    @property
    def ident(self) -> sql.Identifier:
        """The name for use in a statement."""
        return names.ident(self.name)

    @property
    def blocks(self) -> int:
        """Size of all parts."""
        return sum(part.blocks for part in self.parts)

    def column(self, name: str) -> Column | None:
        """Return a column by name."""
        return next((one for one in self.columns if one.name == name), None)


_TABLE = """
select c.oid, c.relkind::text
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f')"""

_COLUMNS = """
select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
       a.attnotnull, a.attgenerated <> '', a.attidentity::text
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
 where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
 order by a.attnum"""

_KEYS = """
select array_agg(a.attname::text order by k.n)
  from pg_catalog.pg_index i
 cross join unnest(i.indkey::int2[]) with ordinality k(attnum, n)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
 where i.indrelid = %s and i.indisunique and i.indimmediate and i.indisvalid
   and i.indpred is null and i.indexprs is null and k.n <= i.indnkeyatts
 group by i.indexrelid, i.indisprimary, i.indisreplident
having bool_and(a.attnotnull)
 order by i.indisprimary desc, i.indisreplident desc, count(*), i.indexrelid
 limit 1"""

_PARTS = """
with recursive tree(oid) as (
    select %(oid)s::oid
    union
    select i.inhrelid from pg_catalog.pg_inherits i join tree on i.inhparent = tree.oid
     where %(children)s
)
select n.nspname, c.relname,
       case c.relkind when 'r' then pg_catalog.pg_relation_size(c.oid)
            when 'm' then pg_catalog.pg_relation_size(c.oid) else 0 end,
       greatest(c.reltuples, 0)::int8
  from tree
  join pg_catalog.pg_class c on c.oid = tree.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind <> 'p'
 order by 1, 2"""

BLOCK = 8192


def describe(db: Database, name: str, *, children: bool = False) -> Relation | None:
    """Return what the catalog says of a table, view or foreign table; None: there is none.

    `children`: tables that inherit are parts of it; partitions always are.
    """
    found = db.query_one(_TABLE, names.split(name))
    if found is None:
        return None
    oid, kind = found
    columns = tuple(Column(*row) for row in db.query(_COLUMNS, (oid,)))
    key = db.query_one(_KEYS, (oid,))
    args = {"oid": oid, "children": children or kind == "p"}
    parts = db.query(_PARTS, args)
    return Relation(
        name=name,
        kind=kind,
        columns=columns,
        key=tuple(key[0]) if key else (),
        parts=tuple(Part(row[0], row[1], -(-row[2] // BLOCK)) for row in parts),
        bytes=sum(row[2] for row in parts),
        rows=sum(row[3] for row in parts),
    )
