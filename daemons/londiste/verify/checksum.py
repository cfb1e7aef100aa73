# SPDX-License-Identifier: ISC
"""Checksums of rows that come out the same on every server.

Each column is hashed with a seed by its place; what these hashes have in common by XOR is hashed
once more with the hash of the key as seed. Numbers, times and texts go through PostgreSQL's own
64-bit hash functions, which hash partitioning keeps stable from version to version; all else is
hashed as text. A table's checksum is the sum over its rows, so it does not matter who adds them up
in which order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste.relation import Column, Relation

SEED = 1
NULL = 0x5D1A9C3E7B24F680
BITS = 11  # of the key's hash make a bucket
MASK = (1 << BITS) - 1
RANGE_BITS = 13  # so many buckets at most, where these are ranges of a number
LARGEST = (1 << 63) - 1

# What makes text of values the same everywhere.
SETTINGS = (
    "set search_path to pg_catalog, public; set datestyle to 'ISO, YMD';"
    " set intervalstyle to 'postgres';"
    " set timezone to 'UTC'; set extra_float_digits to 3; set bytea_output to 'hex';"
    " set lc_monetary to 'C'; set xmloption to 'content'; set quote_all_identifiers to off;"
    " set client_encoding to 'UTF8'; set statement_timeout to 0; set lock_timeout to 0;"
    " set idle_in_transaction_session_timeout to 0; set max_parallel_workers_per_gather to 0;"
    " set jit to off"
)

_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("text", "character varying", "character")
_CLASSES: dict[str, str] = {
    **dict.fromkeys(_INTEGERS, "integer"),
    **dict.fromkeys(_TEXTS, "text"),
    "boolean": "boolean",
    "uuid": "uuid",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
# {0} the column, {1} the seed.
_HASHES: dict[str, str] = {
    "integer": "hashint8extended({0}::int8, {1})",
    "boolean": "hashint8extended({0}::int4::int8, {1})",
    "uuid": "uuid_hash_extended({0}, {1})",
    "timestamp": "timestamp_hash_extended({0}, {1})",
    "timestamptz": "timestamp_hash_extended({0} at time zone 'UTC', {1})",
    "time": "timestamp_hash_extended({0}::timestamptz at time zone 'UTC', {1})",
    "text": 'hashtextextended({0}::text collate "C", {1})',
    "recoded": "hashtextextended(encode(convert_to({0}::text, 'UTF8'), 'hex') collate \"C\", {1})",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a table is compared, in both databases alike.

    `key` and `others` are columns of the source; `hashes` has the kind of hash of each by name,
    `nullable` those that may be NULL somewhere. `ranges`: the first buckets are ranges of the
    key, from this number on, each of 2 to the power of the second.
    """

    key: tuple[str, ...]
    others: tuple[str, ...]
    hashes: dict[str, str]
    nullable: frozenset[str]
    ranges: tuple[int, int] | None = None

    @property
    def counts(self) -> bool:
        """Whether the key is a single number, never NULL."""
        name, *more = self.key
        return not more and self.hashes[name] == "integer" and name not in self.nullable

    def between(self, low: int, high: int) -> Shape:
        """Return the same with ranges of the key as first buckets, if that is possible."""
        if high - low > LARGEST:
            return self
        return replace(self, ranges=(low, max((high - low).bit_length() - RANGE_BITS, 0)))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, the key first."""
        return self.key + self.others

    def text(self, name: str) -> sql.Composable:
        """Return the expression of a column's value as text, the same on both sides."""
        cast = "{}::timestamptz::text" if self.hashes[name] == "time" else "{}::text"
        return sql.SQL(cast).format(sql.Identifier(name))

    def key_hash(self) -> sql.Composable:
        """Return the expression of the key's hash, an int8."""
        if len(self.key) == 1:
            return self._term(0, self.key[0])
        return self._mixed(self.key, sql.Literal(SEED), first=0)

    def row_hash(self) -> sql.Composable:
        """Return the expression of the row's checksum, an int8."""
        if not self.others:
            return self.key_hash()
        return self._mixed(self.others, self.key_hash(), first=len(self.key))

    def bucket(self, level: int = 0) -> sql.Composable:
        """Return the expression of the bucket, an integer. Each level takes other bits."""
        low = level * BITS
        if level == 0 and self.ranges is not None:
            start, bits = self.ranges
            text = "(({}::int8 - {}::int8) >> {})"
            key = sql.Identifier(self.key[0])
            return sql.SQL(text).format(key, sql.Literal(start), sql.Literal(bits))
        value = self.key_hash()
        shifted = sql.SQL("({} >> {})").format(value, sql.Literal(low)) if low else value
        return sql.SQL("({} & {})").format(shifted, sql.Literal(MASK))

    def among(self, buckets: Sequence[int], level: int) -> sql.Composable:
        """Return the condition that a row is in one of the buckets of a level."""
        if level or self.ranges is None:
            listed = sql.SQL(",").join(map(sql.Literal, buckets))
            return sql.SQL("{} in ({})").format(self.bucket(level), listed)
        start, bits = self.ranges
        key = sql.Identifier(self.key[0])
        pairs = [
            sql.SQL("{} between {} and {}").format(
                key,
                sql.Literal(start + (first << bits)),
                sql.Literal(min(start + ((last + 1) << bits) - 1, LARGEST)),
            )
            for first, last in _runs(buckets)
        ]
        return sql.SQL("({})").format(sql.SQL(" or ").join(pairs))

    def _mixed(self, columns: Sequence[str], seed: sql.Composable, *, first: int) -> sql.Composable:
        terms = [self._term(first + i, name) for i, name in enumerate(columns)]
        return sql.SQL("hashint8extended({}, {}::int8)").format(sql.SQL(" # ").join(terms), seed)

    def _term(self, number: int, name: str) -> sql.Composable:
        """Return the hash of a column, with a seed by its place."""
        seed = sql.SQL("{}::int8").format(sql.Literal(SEED + number))
        term = sql.SQL(_HASHES[self.hashes[name]]).format(sql.Identifier(name), seed)
        if name not in self.nullable:
            return term
        # A number that no value is likely to hash to stands for NULL.
        return sql.SQL("coalesce({}, {}::int8)").format(term, sql.Literal(NULL + number))


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give (first, last) of what follows on one another."""
    first = last = None
    for number in sorted(numbers):
        if last is None or number != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = number
        last = number
    if first is not None and last is not None:
        yield first, last


def shape(
    src: Relation, dst: Relation, *, same_encoding: bool, left_out: frozenset[str] = frozenset()
) -> tuple[Shape, list[str]]:
    """Return what can be compared, and what should be said about columns.

    Columns that only one side has are not compared, nor those that the destination computes. A
    table without a key is compared by whole rows.
    """
    notes = []
    common: list[tuple[Column, Column]] = []
    for column in src.columns:
        if column.name in left_out:
            continue
        other = dst.column(column.name)
        if other is None:
            notes.append(f"column {column.name} of the source is missing in the destination")
        elif not other.generated:
            common.append((column, other))
    theirs = {column.name for column in src.columns} | left_out
    notes += [
        f"column {column.name} of the destination is missing in the source"
        for column in dst.columns
        if column.name not in theirs
    ]
    if not common:
        raise SkytoolsError(f"{src.name}: source and destination have no column in common")
    both = [column.name for column, _ in common]
    key = src.key if src.key and set(src.key) <= set(both) else tuple(both)
    hashes = {a.name: _kind(a, b, same_encoding=same_encoding) for a, b in common}
    nullable = frozenset(a.name for a, b in common if not (a.not_null and b.not_null))
    others = tuple(name for name in both if name not in key)
    return Shape(tuple(key), others, hashes, nullable), notes


def _kind(a: Column, b: Column, *, same_encoding: bool) -> str:
    kind, other = _CLASSES.get(a.base, "text"), _CLASSES.get(b.base, "text")
    if {kind, other} == {"timestamp", "timestamptz"}:
        return "time"  # the same moment, with and without its time zone, which is UTC here
    if kind != other:
        kind = "text"
    return "recoded" if kind == "text" and not same_encoding else kind


def encoding(db: Database) -> str:
    """Return the encoding of a database."""
    return str(db.value("show server_encoding"))
