# SPDX-License-Identifier: ISC
"""What of a table can be copied, and in which format: facts from both servers' catalogs."""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste.names import ident, split

# Types below this number are the server's own and the same everywhere.
FIRST_USER_OID = 16384
# The binary format of the server's own types is the same from here on, as far as values go.
BINARY_VERSION = 140000

# Through JSON, as servers before 10 and 12 know no partitions and no generated columns.
_RELATION = """
select c.oid::int8, c.relkind::text,
       coalesce((to_jsonb(c) ->> 'relispartition')::bool, false),
       pg_relation_size(c.oid), greatest(c.reltuples, 0)::int8
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relname = %s
   and c.relkind in ('r', 'p', 'v', 'm', 'f')"""

# reg* types are numbers that mean something else in another database.
_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid::int8,
       coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '',
       a.atttypid < {first} and (t.typelem = 0 or t.typelem < {first}) and t.typsend <> 0
       and t.typname !~ '^_?reg' and t.typtype = 'b'
  from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
 where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
 order by a.attnum"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `plain`: its type is the server's own, with a portable binary format."""

    name: str
    type_name: str
    type_oid: int
    generated: bool
    plain: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of one side. `size` in bytes of its main fork, without that of partitions."""

    name: str
    oid: int
    kind: str
    is_partition: bool
    size: int
    rows: int
    columns: tuple[Column, ...]

    @property
    def partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.kind == "p"


def read_relation(db: Database, name: str) -> Relation:
    """Return the facts of a table. Raises SkytoolsError when there is none of that name."""
    row = db.query_one(_RELATION, split(name))
    if row is None:
        raise SkytoolsError(f"{db.name}: there is no table {name}")
    oid, kind, is_partition, size, rows = row
    query = _COLUMNS.format(first=FIRST_USER_OID)
    columns = tuple(Column(*found) for found in db.query(query, (oid,)))
    return Relation(name, oid, kind, is_partition, size, rows, columns)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which columns are copied, and what is left out on either side."""

    columns: tuple[str, ...]
    only_source: tuple[str, ...]
    only_dest: tuple[str, ...]
    binary: bool

    @property
    def sql(self) -> sql.Composable:
        """The list of columns; empty parts of a statement when a table has none."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


def match(source: Relation, dest: Relation, *, binary: bool) -> Mapping:
    """Return the columns that both sides have; those that the destination computes are left out.

    `binary` says whether both servers are new enough for the binary format.
    """
    ours = {column.name: column for column in dest.columns}
    theirs = {column.name: column for column in source.columns}
    pairs = [
        (column, ours[column.name])
        for column in source.columns
        if column.name in ours and not ours[column.name].generated
    ]
    if not pairs:
        raise SkytoolsError(
            f"{dest.name}: has no column in common with {source.name} of the source"
        )
    same = all(a.plain and b.plain and a.type_oid == b.type_oid for a, b in pairs)
    return Mapping(
        columns=tuple(column.name for column, _ in pairs),
        only_source=tuple(name for name in theirs if name not in ours),
        only_dest=tuple(c.name for c in dest.columns if c.name not in theirs and not c.generated),
        binary=binary and same,
    )


def both_binary(source: Database, dest: Database) -> bool:
    """Tell whether both servers are new enough for the binary format."""
    return min(source.server_version, dest.server_version) >= BINARY_VERSION


def copy_in(dest: str, mapping: Mapping) -> sql.Composable:
    """Return the statement that loads rows."""
    return sql.SQL("copy {} ({}) from stdin{}").format(
        ident(dest), mapping.sql, _format(binary=mapping.binary)
    )


def copy_out(mapping: Mapping, table: sql.Composable, where: sql.Composable) -> sql.Composable:
    """Return the statement that reads rows; `where` may be empty."""
    return sql.SQL("copy (select {} from {}{}) to stdout{}").format(
        mapping.sql, table, where, _format(binary=mapping.binary)
    )


def _format(*, binary: bool) -> sql.SQL:
    return sql.SQL(" with (format binary)" if binary else "")
