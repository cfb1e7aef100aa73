# SPDX-License-Identifier: ISC
"""Definitions of columns: types, defaults, identity, generated, what is owned by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skytools.core.db import Database
from skytools.daemons.londiste import names
from skytools.daemons.londiste.definitions.sequence import options, sequence
from skytools.daemons.londiste.definitions.statement import Statement, bare
from skytools.daemons.londiste.names import quote, quote_ident

_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod),
       case when a.attcollation <> t.typcollation then
            (select format('%%I.%%I', cn.nspname, co.collname) from pg_collation co
               join pg_namespace cn on cn.oid = co.collnamespace where co.oid = a.attcollation) end,
       a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text,
       case when a.attstorage <> t.typstorage then a.attstorage::text end,
       nullif(to_jsonb(a) ->> 'attcompression', ''),
       o.name, o.kind, o.start, o.step, o.low, o.high, o.cache, o.cycle, o.last
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  left join lateral (
       select n.nspname || '.' || c.relname as name, format_type(s.seqtypid, null) as kind,
              s.seqstart as start, s.seqincrement as step, s.seqmin as low, s.seqmax as high,
              s.seqcache as cache, s.seqcycle as cycle, pg_sequence_last_value(c.oid) as last
         from pg_depend p
         join pg_class c on c.oid = p.objid and c.relkind = 'S'
         join pg_namespace n on n.oid = c.relnamespace
         join pg_sequence s on s.seqrelid = c.oid
        where p.classid = 'pg_class'::regclass and p.refclassid = 'pg_class'::regclass
          and p.refobjid = a.attrelid and p.refobjsubid = a.attnum and p.deptype in ('a', 'i')
        order by c.oid limit 1) o on true
 where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
 order by a.attnum"""
_STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column. `sequence`: (name, type, options) of the one that it owns."""

    name: str
    type: str
    collation: str | None
    not_null: bool
    default: str | None
    generated: str  # "s" stored, "v" virtual, "" no
    identity: str  # "a" always, "d" by default, "" no
    storage: str | None
    compression: str | None
    sequence: tuple[str, str, str] | None

    def text(self, *, full: bool) -> str:
        """Return the column as it stands in CREATE TABLE."""
        parts = [quote_ident(self.name), self.type]
        if self.collation:
            parts.append(f"collate {self.collation}")
        if self.compression:
            parts.append(f"compression {_COMPRESSION[self.compression]}")
        parts += self._value(full=full)
        if self.not_null:
            parts.append("not null")
        return " ".join(parts)

    def _value(self, *, full: bool) -> list[str]:
        if self.generated:
            kind = "virtual" if self.generated == "v" else "stored"
            return [f"generated always as ({self.default}) {kind}"]
        if self.identity:
            word = "always" if self.identity == "a" else "by default"
            assert self.sequence is not None
            name, _, given = self.sequence
            return [f"generated {word} as identity (sequence name {quote(name)} {given})"]
        return [f"default {self.default}"] if full and self.default is not None else []

    def sequence_statements(self, db: Database) -> Iterator[Statement]:
        """Give what makes the sequence that the column owns, unless it is there."""
        assert self.sequence is not None
        for one in sequence(db, self.sequence[0], full=False):
            text = one.text.replace("create sequence", "create sequence if not exists", 1)
            yield Statement(text, one.what)

    def owned_by(self, table: str) -> Statement:
        """Return what makes the column the owner of its sequence."""
        assert self.sequence is not None
        return Statement(
            f"alter sequence {quote(self.sequence[0])} owned by"
            f" {quote(table)}.{quote_ident(self.name)}",
            f"owner of {self.sequence[0]}",
            optional=True,
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table, in order."""

    columns: tuple[ColumnDefinition, ...]

    @property
    def serials(self) -> list[ColumnDefinition]:
        """Columns whose default is a sequence that they own."""
        return [one for one in self.columns if one.sequence is not None and not one.identity]

    def text(self, *, full: bool) -> str:
        """Return the list as it stands in CREATE TABLE."""
        return ", ".join(one.text(full=full) for one in self.columns)

    def of_partition(self, *, full: bool) -> str:
        """Return what CREATE TABLE ... PARTITION OF says of columns: defaults of its own."""
        given = [
            f"{quote_ident(one.name)} default {one.default}"
            for one in self.columns
            if full and one.default is not None and not one.generated and not one.identity
        ]
        return f" ({', '.join(given)})" if given else ""

    def storage(self, table: str) -> Iterator[Statement]:
        """Give what sets storage that is not that of the type."""
        for one in self.columns:
            if one.storage:
                yield Statement(
                    f"alter table {quote(table)} alter {quote_ident(one.name)} set storage"
                    f" {_STORAGE[one.storage]}"
                )


def read_columns(db: Database, oid: int) -> Columns:
    """Read the columns of a table."""
    found = []
    for row in bare(db, _COLUMNS, (oid,)):
        name, kind, *given = row[9:]
        owned = None if name is None else (names.full(name), kind, options(given))
        found.append(ColumnDefinition(*(*row[:9], owned)))
    return Columns(tuple(found))
