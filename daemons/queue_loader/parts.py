# SPDX-License-Identifier: ISC
"""Partitions: which one a row belongs to, and making those that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.daemons.queue_loader.config import TableConfig

UNITS = ("hour", "day", "month", "year")
DIGITS = {"year": 4, "month": 7, "day": 10, "hour": 13}


def split_name(name: str) -> tuple[str, str]:
    """Return schema and table of a name; without a schema it is public."""
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else ("public", schema)


def identifier(name: str) -> sql.Composable:
    """Return a name quoted for SQL."""
    return sql.Identifier(*split_name(name))


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a partition is for: from its begin to that of the next."""

    begin: str
    end: str


def unit_of(part: str) -> str:
    """Return the smallest unit of time in the name of partitions."""
    found = next((unit for unit in UNITS if f"%({unit})s" in part), None)
    if found is None:
        raise SkytoolsError(f"split_part {part} has no time in it: year, month, day or hour")
    return found


def span(moment: str, unit: str) -> Span:
    """Return the span of a moment, which begins with YYYY-MM-DD HH."""
    text = moment[: DIGITS[unit]]
    full = text + "0001-01-01 00"[len(text) :]
    begin = datetime.strptime(full.replace("T", " "), "%Y-%m-%d %H")
    if unit == "year":
        end = begin.replace(year=begin.year + 1)
    elif unit == "month":
        end = (begin + timedelta(days=31)).replace(day=1)
    else:
        end = begin + (timedelta(days=1) if unit == "day" else timedelta(hours=1))
    return Span(str(begin), str(end))


class Parts:
    """Names partitions and makes them, in the transaction of one batch."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[str] = set()
        self._columns: dict[str, str] = {}

    def part(self, dest: str, cfg: TableConfig, moment: str, key: tuple[str, ...]) -> str:
        """Return the partition of a moment (YYYY-MM-DD HH:...), which is there then."""
        schema, table = split_name(dest)
        values = {"schema_name": schema, "table_name": table}
        for unit, begin, end in (("year", 0, 4), ("month", 5, 7), ("day", 8, 10), ("hour", 11, 13)):
            values[unit] = moment[begin:end]
        name = cfg.split_part % values
        full = name if "." in name else f"{schema}.{name}"
        if full not in self._known:
            if not self._is_there(full):
                self._make(full, dest, cfg, moment, key)
            self._known.add(full)
        return full

    def column(self, dest: str) -> str:
        """Return the column by whose range a table is partitioned. Raises SkytoolsError."""
        if dest not in self._columns:
            found = self._db.value(
                """select a.attname
                     from pg_partitioned_table p
                     join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
                    where p.partrelid = to_regclass(%s) and p.partstrat = 'r'
                      and p.partnatts = 1""",
                (identifier(dest).as_string(self._db.connect()),),
            )
            if found is None:
                raise SkytoolsError(f"table {dest} is not partitioned by the range of one column")
            self._columns[dest] = found
        return self._columns[dest]

    def _is_there(self, name: str) -> bool:
        found = self._db.value(
            "select to_regclass(%s) is not null",
            (identifier(name).as_string(self._db.connect()),),
        )
        return bool(found)

    def _make(
        self, part: str, dest: str, cfg: TableConfig, moment: str, key: tuple[str, ...]
    ) -> None:
        native = cfg.table_mode == "partition"
        if not native and not cfg.split_part_template:
            raise SkytoolsError(
                f"table {dest}: partition {part} is missing; make it, or set split_part_template"
            )
        try:
            reach = span(moment, unit_of(cfg.split_part))
        except ValueError as exc:
            raise SkytoolsError(f"table {dest}: {moment!r} is no time: {exc}") from exc
        text = cfg.split_part_template or _NATIVE
        conn = self._db.connect()
        names = {
            "part": identifier(part).as_string(conn),
            "dest": identifier(dest).as_string(conn),
            "parent": identifier(dest).as_string(conn),
            "pkey": ", ".join(sql.Identifier(name).as_string(conn) for name in key),
            "from": f"'{reach.begin}'",
            "to": f"'{reach.end}'",
        }
        self._db.execute(text % names).close()


_NATIVE = "create table %(part)s partition of %(dest)s for values from (%(from)s) to (%(to)s)"
