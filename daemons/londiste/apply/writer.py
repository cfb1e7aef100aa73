# SPDX-License-Identifier: ISC
"""Writing the changes of one table: by a few statements where that is possible, else by rows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from skytools.core.db import Database
from skytools.core.errors import DatabaseError
from skytools.daemons.londiste.apply import rowwise
from skytools.daemons.londiste.apply.changes import DELETE, INSERT, UPDATE, ApplyError
from skytools.daemons.londiste.apply.rowwise import Row
from skytools.daemons.londiste.apply.shape import Shape
from skytools.daemons.londiste.apply.target import Column, TargetTable
from skytools.daemons.londiste.apply.text import Lines, from_line, literals
from skytools.daemons.londiste.names import literal

log = logging.getLogger("skytools")

# Up to so many rows a statement with all the values is faster than a temporary table.
VALUES_ROWS = 500
VALUES_CHARS = 1 << 20
# Rows that were not there are named in the log, up to so many of a slice.
NAMED = 5
NO_TEMPORARY_TABLES = "42501"
# Rows in the order of an index are looked up in it for less than a pass over the table costs.
BY_INDEX = "set local enable_hashjoin to off; set local enable_mergejoin to off"
AS_BEFORE = "reset enable_hashjoin; reset enable_mergejoin"
NAMES = {INSERT: "INSERT", UPDATE: "UPDATE", DELETE: "DELETE"}

Logged = tuple[str, str, int]  # operation, line (of a DELETE: the key), event id


@dataclass(slots=True)
class Work:
    """Changes of one table that wait to be written.

    `deletes` are lines of keys, `updates` and `inserts` of rows: the net effect. `changes` are
    all of them, in their order. `merges`: an INSERT replaces a row that is there; `rewrites`: an
    UPDATE is a DELETE and an INSERT. `failed` is called when it had to be done by rows.
    """

    shape: Shape
    deletes: list[str]
    updates: list[str]
    inserts: list[str]
    changes: list[Logged]
    by_row: bool = False
    merges: bool = False
    rewrites: bool = False
    failed: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Outcome:
    """What was written: changes by operation, and those that found no row."""

    applied: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    slow: int = 0  # works that had to be written by rows


class Mismatch(Exception):  # noqa: N818 # no error: the rows are looked at one by one then
    """A statement has touched another number of rows than it should have."""


class Writer:
    """Writes into one database, in its open transaction.

    `on_missing` is log, stop or repair.
    """

    def __init__(self, db: Database, on_missing: str) -> None:
        self.db = db
        self.on_missing = on_missing
        self.outcome = Outcome()
        self._stages: dict[str, bool] = {}  # name -> whether it has rows now
        self._may_stage = True
        self._in_savepoint = False
        self._odd: set[int] = set()  # tables that fit in no statement with others: rules, maybe

    def transaction_ends(self) -> None:
        """Note that the transaction ends well: temporary tables stay, without rows."""
        self._stages = dict.fromkeys(self._stages, False)
        self._in_savepoint = False

    def write_all(self, works: Sequence[Work]) -> None:
        """Write the changes of several tables; where they are few, in one round trip."""
        for work in works:
            for operation, _, _ in work.changes:
                self.outcome.applied[operation] += 1
        few = _few(works, self._odd)
        if few and self._together(works):
            return
        for work in works:
            self._write(work)
            if few and not work.by_row:
                self._odd.add(work.shape.table.oid)

    def _write(self, work: Work) -> None:
        """Write the changes of a table."""
        if work.by_row:
            self._by_row(work)
            return
        self._savepoint("")
        try:
            self._by_set(work)
        except (DatabaseError, Mismatch) as exc:
            log.debug("table %s: row by row now: %s", work.shape.table.name, exc)
            self._go_back()
            self.outcome.slow += 1
            work.by_row = True
            work.failed()
            self._by_row(work)

    def _savepoint(self, statement: str) -> None:
        """Set one before a statement; in the same round trip when that is sure to be parsed."""
        begin = "savepoint skytools_slice"
        if self._in_savepoint:
            begin = f"release savepoint skytools_slice; {begin}"
        if statement and statement.isascii():
            self.db.send(begin)
        else:
            self.db.execute(begin).close()
        self._in_savepoint = True

    def _go_back(self) -> None:
        self.db.execute("rollback to savepoint skytools_slice").close()
        self._stages.clear()

    # in one statement

    def _together(self, works: Sequence[Work]) -> bool:
        """Write all by one statement; false when the tables are to be looked at one by one."""
        parts: list[str] = []
        expected: list[int | None] = []
        for work in works:
            shape = work.shape
            if work.deletes:
                source = _values(shape.key_columns, work.deletes)
                parts.append(shape.delete_from(source))
                expected.append(None if work.merges else len(work.deletes))
            if work.updates:
                parts.append(shape.update_from(_values(shape.columns, work.updates)))
                expected.append(len(work.updates))
            if work.inserts:
                parts.append(shape.insert_into(f"values {_rows(work.inserts)}"))
                expected.append(len(work.inserts))
        if not parts:
            return True
        named = ",\n".join(f"w{n} as ({text} returning 1)" for n, text in enumerate(parts))
        counts = ", ".join(f"(select count(*) from w{n})" for n in range(len(parts)))
        statement = f"with {named}\nselect {counts}"
        self._savepoint(statement)
        try:
            found = self.db.query_one(statement) or ()
            wrong = [(a, b) for a, b in zip(found, expected, strict=True) if b not in (None, a)]
            if wrong:
                raise Mismatch(f"{wrong[0][0]} rows instead of {wrong[0][1]}")
        except (DatabaseError, Mismatch) as exc:
            log.debug("tables one by one now: %s", exc)
            self._go_back()
            return False
        return True

    # by set

    def _by_set(self, work: Work) -> None:
        shape = work.shape
        for lines in self._parts(work.deletes):
            source = self._source(shape.key_columns, lines, f"{self._stage_name(shape)}_keys")
            statement = shape.delete_from(_in_order(shape, source))
            self._expect(shape, statement, None if work.merges else len(lines))
        for lines in self._parts(work.updates):
            source = self._source(shape.columns, lines, self._stage_name(shape))
            self._expect(shape, shape.update_from(_in_order(shape, source)), len(lines))
        for lines in self._parts(work.inserts):
            self._insert(shape, lines)

    def _parts(self, lines: list[str]) -> list[list[str]]:
        """Divide lines that have to do without a temporary table."""
        if self._may_stage or _is_small(lines):
            return [lines] if lines else []
        return [lines[n : n + VALUES_ROWS] for n in range(0, len(lines), VALUES_ROWS)]

    def _expect(self, shape: Shape, statement: str, count: int | None) -> None:
        looks_up = shape.is_indexed
        with self.db.execute(f"{BY_INDEX}; {statement}" if looks_up else statement) as cursor:
            if looks_up:
                self.db.send(AS_BEFORE)
            if count is not None and cursor.rowcount != count:
                raise Mismatch(f"{cursor.rowcount} rows instead of {count}")

    def _insert(self, shape: Shape, lines: list[str]) -> None:
        table = shape.table
        if _is_small(lines):
            self.db.execute(shape.insert_into(f"values {_rows(lines)}")).close()
        elif table.takes_copy:
            self._copy(table.quoted, shape.columns, lines)
        else:
            source = self._source(shape.columns, lines, self._stage_name(shape))
            self.db.execute(shape.insert_into(f"select {shape.list()} from {source}")).close()

    # rows as something to join with

    def _source(self, columns: list[Column], lines: list[str], stage: str) -> str:
        """Return SQL of a relation s that has the rows."""
        if self._may_stage and not _is_small(lines):
            try:
                return self._stage(columns, lines, stage)
            except DatabaseError as exc:
                if exc.sqlstate != NO_TEMPORARY_TABLES:
                    raise
                self._may_stage = False
                log.warning("%s: may not make temporary tables, which makes large batches slow:"
                            " grant temporary on database", self.db.name)  # fmt: skip
                raise Mismatch("no temporary tables") from exc
        return _values(columns, lines)

    def _stage(self, columns: list[Column], lines: list[str], name: str) -> str:
        begin = f"truncate pg_temp.{name}"
        if name not in self._stages:
            fields = ", ".join(f"null::{one.type} as {one.quoted}" for one in columns)
            begin = f"""drop table if exists pg_temp.{name};
                create temp table {name} on commit delete rows as select {fields} limit 0"""
        if self._stages.get(name, True):
            self.db.execute(begin).close()
        self._stages[name] = True
        self._copy(f"pg_temp.{name}", columns, lines)
        return f"pg_temp.{name} s"

    @staticmethod
    def _stage_name(shape: Shape) -> str:
        return f"londiste_{shape.table.oid}_{shape.number}"

    def _copy(self, table: str, columns: list[Column], lines: list[str]) -> None:
        self.db.copy(f"copy {table} ({_list(columns)}) from stdin", Lines(lines))

    # by row

    def _by_row(self, work: Work) -> None:
        rows = [self._row(work, *change) for change in work.changes]
        for number, place in enumerate(missed := rowwise.write(self.db, rows)):
            operation, line, event_id = work.changes[place]
            name = _row_name(work.shape, operation, line)
            self._miss(operation, event_id, f"table {work.shape.table.name} has no row {name}",
                       number, inserted=bool(rows[place].otherwise))  # fmt: skip
        self._more(work.shape.table, len(missed))

    def write_statements(self, table: TargetTable, rows: Sequence[Row]) -> None:
        """Write changes that came as statements."""
        missed = rowwise.write(self.db, rows)
        for number, place in enumerate(missed):
            text = f"table {table.name}: no row for: {rows[place].statement[:200]}"
            self._miss(UPDATE, rows[place].event_id, text, number, inserted=False)
        self._more(table, len(missed))
        for row in rows:
            self.outcome.applied[_VERBS[row.statement[:6]]] += 1

    def write_calls(self, rows: Sequence[Row]) -> None:
        """Run statements of handlers."""
        rowwise.write(self.db, rows)

    def _miss(
        self, operation: str, event_id: int, what: str, number: int, *, inserted: bool
    ) -> None:
        """Tell that a change has found no row, and stop if that is wanted."""
        self.outcome.missed[operation] += 1
        text = f"event {event_id}, {NAMES[operation]}: {what}"
        if self.on_missing == "stop":
            raise ApplyError(f"{text}; see on_missing_row")
        if number < NAMED:
            log.warning("%s%s", text, "; inserted" if inserted else "")

    @staticmethod
    def _more(table: TargetTable, count: int) -> None:
        if count > NAMED:
            log.warning("table %s: %d rows more were not there", table.name, count - NAMED)

    def _row(self, work: Work, operation: str, line: str, event_id: int) -> Row:
        shape = work.shape
        values = [literal(value) for value in from_line(line)]
        if operation == DELETE:
            return Row(shape.delete_row(values), event_id, counted=not work.merges)
        insert = shape.insert_into(f"values ({','.join(values)})")
        keys = [values[place] for place in shape.key_places]
        if work.merges or (operation == UPDATE and work.rewrites):
            # The count is that of the last statement of a row: FOUND, and what libpq tells.
            return Row(f"{shape.delete_row(keys)};\n{insert}", event_id)
        if operation == INSERT:
            return Row(insert, event_id)
        otherwise = insert if self.on_missing == "repair" else ""
        return Row(shape.update_row(values), event_id, counted=True, otherwise=otherwise)


_VERBS = {"insert": INSERT, "update": UPDATE, "delete": DELETE}


def _row_name(shape: Shape, operation: str, line: str) -> str:
    fields = line.split("\t")
    keys = fields if operation == DELETE else [fields[place] for place in shape.key_places]
    pairs = zip(shape.key_columns, keys, strict=True)
    return ", ".join(f"{one.name}={value}" for one, value in pairs)


def _few(works: Sequence[Work], odd: set[int]) -> bool:
    """Tell whether changes are so few, and of such tables, that one statement may do them all."""
    oids = {work.shape.table.oid for work in works}
    lines = [line for work in works for line in (*work.deletes, *work.updates, *work.inserts)]
    plain = all(work.shape.table.kind in "rp" and not work.by_row for work in works)
    return plain and len(oids) == len(works) and not oids & odd and _is_small(lines)


def _values(columns: list[Column], lines: list[str]) -> str:
    """Return SQL of a relation s that has the rows, all of their values in it."""
    first = zip(from_line(lines[0]), columns, strict=True)
    typed = ",".join(f"{literal(value)}::{one.type}" for value, one in first)
    rest = f",{_rows(lines[1:])}" if len(lines) > 1 else ""
    return f"(values ({typed}){rest}) s({_list(columns)})"


def _in_order(shape: Shape, source: str) -> str:
    """Return the rows of `source` in the order of their key, which is that of the table often."""
    return f"(select * from {source} order by {shape.key_list()}) s" if shape.is_indexed else source


def _rows(lines: list[str]) -> str:
    return ",".join([f"({literals(line)})" for line in lines])


def _is_small(lines: list[str]) -> bool:
    return len(lines) <= VALUES_ROWS and sum(map(len, lines)) < VALUES_CHARS


def _list(columns: list[Column]) -> str:
    return ", ".join(one.quoted for one in columns)
