# SPDX-License-Identifier: ISC
"""A table in pieces that can be read side by side: its partitions, and ranges of pages."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from skytools.core.db import Database, sql
from skytools.daemons.londiste.copy.columns import Relation
from skytools.daemons.londiste.names import split

# From here on a range of ctid is read by its pages alone.
TID_RANGE_VERSION = 140000
# Small tables are not worth a second connection. Tests make it less.
PARALLEL_BYTES = int(os.environ.get("SKYTOOLS_PARALLEL_COPY_BYTES", str(32 << 20)))
PIECE_BYTES = 256 << 20
# So many pieces for each connection, so that all are busy to the end.
PIECES_EACH = 4

_LEAVES = """
select n.nspname, c.relname, c.relkind::text, pg_relation_size(c.oid), greatest(c.reltuples, 0)
  from pg_catalog.pg_partition_tree(%s::oid) t
  join pg_catalog.pg_class c on c.oid = t.relid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where t.isleaf and c.relkind <> 'p' order by 1, 2"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one table: pages from `first` up to `last`; None: to the end. `size` in bytes."""

    schema: str
    table: str
    whole: bool
    first: int
    last: int | None
    size: int

    @property
    def source(self) -> sql.Composable:
        """The table of the piece, for FROM; children by inheritance are tables of their own."""
        name = sql.Identifier(self.schema, self.table)
        return name if self.whole else sql.SQL("only {}").format(name)

    def where(self, condition: str | None) -> sql.Composable:
        """Return the WHERE of the piece, with a condition on the rows."""
        parts: list[sql.Composable] = []
        if self.first:
            parts.append(sql.SQL("ctid >= {}").format(sql.Literal(f"({self.first},0)")))
        if self.last is not None:
            parts.append(sql.SQL("ctid < {}").format(sql.Literal(f"({self.last},0)")))
        if condition:
            parts.append(sql.SQL("({})").format(sql.SQL(condition)))
        return sql.SQL(" where ") + sql.SQL(" and ").join(parts) if parts else sql.SQL("")


def pieces(db: Database, relation: Relation, connections: int) -> list[Piece]:
    """Return the pieces of a table, the largest first.

    Call in the transaction whose snapshot is read: what is appended later is in the last piece,
    and seen by nobody.
    """
    block: int = int(db.value("show block_size"))
    leaves = _leaves(db, relation)
    total = sum(leaf.size for leaf in leaves)
    step = 0
    if connections > 1 and db.server_version >= TID_RANGE_VERSION and total >= PARALLEL_BYTES:
        size = min(PIECE_BYTES, max(PARALLEL_BYTES // 4, total // (connections * PIECES_EACH)))
        step = max(1, size // block)
    found = [piece for leaf in leaves for piece in _split(leaf, block, step)]
    return sorted(found, key=lambda piece: -piece.size)


def size_of(db: Database, relation: Relation) -> tuple[int, int]:
    """Return about how many bytes and rows a table has, with its partitions."""
    if not relation.partitioned:
        return relation.size, relation.rows
    rows = db.query(_LEAVES, (relation.oid,))
    return sum(row[3] for row in rows), int(sum(row[4] for row in rows))


def _leaves(db: Database, relation: Relation) -> list[Piece]:
    """Return the tables that hold the rows, each as one piece."""
    if relation.partitioned:
        rows = db.query(_LEAVES, (relation.oid,))
    else:
        rows = [(*split(relation.name), relation.kind, relation.size, 0)]
    return [Piece(row[0], row[1], row[2] not in {"r", "m"}, 0, None, row[3]) for row in rows]


def _split(leaf: Piece, block: int, step: int) -> list[Piece]:
    pages = -(-leaf.size // block)
    if leaf.whole or not step or pages <= step:
        return [leaf]
    starts = list(range(0, pages, step))
    ends = [*starts[1:], None]
    return [
        replace(leaf, first=first, last=last, size=step * block)
        for first, last in zip(starts, ends, strict=True)
    ]
