# SPDX-License-Identifier: ISC
"""Which rows differ: from buckets of the key to keys, moving as little as possible.

Buckets whose sums differ are halved further while that is worth a pass over the table; then the
keys and checksums of what is in them are fetched, and rows only for the keys that differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from skytools.core.db import Database, Row, sql
from skytools.daemons.londiste.relation import Relation
from skytools.daemons.londiste.verify.checksum import MASK, Shape
from skytools.daemons.londiste.verify.scan import Path, Scan, Side, Sum, source

Key = tuple[str | None, ...]
Values = tuple[str | None, ...]

MOST_ROWS = 1_000_000  # keys in memory at a time, of each side
WORTH_A_PASS = 200_000  # rows in differing buckets for which they are divided again
MAX_LEVEL = 3
_LENGTH = re.compile(r"^(character varying|character)\(\d+\)")
_UNBOUND = {"character varying": "varchar", "character": "bpchar"}


@dataclass(frozen=True, slots=True)
class KeyDifference:
    """A key whose rows differ, and on which sides it is."""

    key: Key
    in_src: bool
    in_dst: bool


@dataclass(slots=True)
class Traffic:
    """What a search moved to this program."""

    buckets: int = 0
    keys: int = 0
    rows: int = 0
    bytes: int = 0

    def add_rows(self, rows: Iterable[Values]) -> None:
        """Count rows that were fetched whole."""
        for row in rows:
            self.rows += 1
            self.bytes += sum(len(value or "") for value in row)


@dataclass(frozen=True, slots=True)
class Overview:
    """The sums of a table as a whole; `differing`: bucket -> rows of the larger side."""

    src: Sum
    dst: Sum
    differing: dict[int, int]


def overview(scan: Scan, path: Path = ()) -> Overview:
    """Return sums by bucket in one pass over both sides."""
    src, dst = scan.buckets(path)
    none = Sum()
    differing = {}
    for bucket in src.keys() | dst.keys():
        a, b = src.get(bucket, none), dst.get(bucket, none)
        if a != b:
            differing[bucket] = max(a.rows, b.rows)
    return Overview(sum(src.values(), none), sum(dst.values(), none), differing)


def differences(
    scan: Scan, seen: Overview, traffic: Traffic, path: Path = ()
) -> Iterator[KeyDifference]:
    """Give the keys that differ. Reads the table once, and again for each million of rows."""
    traffic.buckets += len(seen.differing)
    if sum(seen.differing.values()) > WORTH_A_PASS and _is_sparse(seen, path):
        deeper = (*path, sorted(seen.differing))
        yield from differences(scan, overview(scan, deeper), traffic, deeper)
        return
    for group in _groups(seen.differing):
        src_rows, dst_rows = scan.keyed((*path, group))
        traffic.keys += len(src_rows) + len(dst_rows)
        for row in (*src_rows, *dst_rows):
            traffic.bytes += 8 + sum(len(value or "") for value in row[:-1])
        yield from _compare_keys(src_rows, dst_rows)


def _is_sparse(seen: Overview, path: Path) -> bool:
    """Tell whether so few buckets differ that dividing them again leaves little."""
    return len(path) < MAX_LEVEL and len(seen.differing) * 4 < MASK


def _groups(differing: dict[int, int]) -> Iterator[list[int]]:
    group: list[int] = []
    size = 0
    for bucket, rows in sorted(differing.items()):
        if group and size + rows > MOST_ROWS:
            yield group
            group, size = [], 0
        group.append(bucket)
        size += rows
    if group:
        yield group


def _compare_keys(src_rows: list[Row], dst_rows: list[Row]) -> Iterator[KeyDifference]:
    """Compare (key ..., checksum) of both sides, in the order of the keys' text."""
    only_src = Counter(src_rows)
    only_src.subtract(dst_rows)
    changed: dict[Key, list[bool]] = {}
    for row, count in only_src.items():
        if count:
            sides = changed.setdefault(row[:-1], [False, False])
            sides[count < 0] = True
    for key in sorted(changed, key=_sortable):
        in_src, in_dst = changed[key]
        yield KeyDifference(key, in_src, in_dst)


def _sortable(key: Key) -> tuple[tuple[bool, int, str], ...]:
    return tuple((value is None, len(value or ""), value or "") for value in key)


def fetch(db: Database, side: Side, shape: Shape, keys: Sequence[Key]) -> dict[Key, Values]:
    """Return the rows of some keys as text, in the order of shape.columns. The key is unique."""
    if not keys:
        return {}
    query = sql.SQL("select {} from {} join {}").format(
        sql.SQL(", ").join(shape.text(name) for name in shape.columns),
        source(side),
        sql.SQL("{} on {}").format(listed(keys), same_key(side.relation, shape)),
    )
    rows = db.query(query)
    return {row[: len(shape.key)]: row for row in rows}


def listed(rows: Sequence[Values]) -> sql.Composable:
    """Return rows of text as a relation k, whose columns are those of value()."""
    return sql.SQL("unnest({}) as k({})").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text[]").format(sql.Literal(list(values)))
            for values in zip(*rows, strict=True)
        ),
        sql.SQL(", ").join(sql.Identifier(f"k {i}") for i in range(len(rows[0]))),
    )


def value(relation: Relation, name: str, number: int) -> sql.Composable:
    """Return a column of listed() with the type of a column of the relation."""
    column = relation.column(name)
    assert column is not None
    # The type as format_type gives it is fit for a statement, quotes included. Without length, as
    # a cast would cut what is too long.
    kind = _LENGTH.sub(lambda match: _UNBOUND[match[1]], column.type)
    return sql.SQL("k.{}::{}").format(sql.Identifier(f"k {number}"), sql.SQL(kind))


def same_key(relation: Relation, shape: Shape) -> sql.Composable:
    """Return the condition that a row has the key with which one of listed() begins."""
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), value(relation, name, number))
        for number, name in enumerate(shape.key)
    )
