# SPDX-License-Identifier: ISC
"""The statements that make a row of this node equal to that of its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.daemons.londiste.relation import Relation
from skytools.daemons.londiste.verify.checksum import Shape
from skytools.daemons.londiste.verify.diff import Key, Values, listed, same_key, value


@dataclass(slots=True)
class Counts:
    """What was missed."""

    inserts: int = 0
    updates: int = 0
    deletes: int = 0

    @property
    def total(self) -> int:
        """All together."""
        return self.inserts + self.updates + self.deletes

    def count(self, fix: Fix) -> None:
        """Count a fix by its kind."""
        if fix.src is None:
            self.deletes += 1
        elif fix.dst is None:
            self.inserts += 1
        else:
            self.updates += 1

    def add(self, more: Counts) -> None:
        """Count what has been counted elsewhere."""
        self.inserts += more.inserts
        self.updates += more.updates
        self.deletes += more.deletes

    def __str__(self) -> str:
        return f"{self.inserts} inserts, {self.updates} updates, {self.deletes} deletes"


@dataclass(frozen=True, slots=True)
class Fix:
    """One row that differs; None where a side does not have it."""

    key: Key
    src: Values | None
    dst: Values | None


def fixes(
    keys: Iterable[Key], src: Mapping[Key, Values], dst: Mapping[Key, Values]
) -> Iterator[Fix]:
    """Give what has to be done about keys: deletes first, so that unique values are free."""
    found = [Fix(key, src.get(key), dst.get(key)) for key in keys]
    differing = [one for one in found if one.src != one.dst]
    yield from (one for one in differing if one.src is None)
    yield from (one for one in differing if one.src is not None and one.dst is not None)
    yield from (one for one in differing if one.dst is None)


class Writer:
    """Makes statements for one table of this node."""

    def __init__(self, target: Relation, shape: Shape, *, only: bool) -> None:
        self.shape = shape
        self._target = target
        word = "only {}" if only and target.kind == "r" else "{}"
        self._table = target.ident
        self._only = sql.SQL(word).format(target.ident)
        always = any(column.identity == "a" for column in target.columns)
        self._overriding = sql.SQL("overriding system value " if always else "")

    def statement(self, fix: Fix) -> sql.Composable:
        """Return the statement of a fix. An update asks for the old values, too."""
        if fix.src is None:
            return self._delete(fix)
        if fix.dst is None:
            return self._insert(fix.src)
        return self._update(fix.src, fix.dst)

    def together(self, found: Sequence[Fix]) -> Iterator[sql.Composable]:
        """Give a statement for all rows that are too many, wrong, or missing here; in this order.

        Nobody else may write to the table: old values are not asked for.
        """
        if gone := [one.key for one in found if one.src is None]:
            yield sql.SQL("delete from {} using {} where {}").format(
                self._only, listed(gone), same_key(self._target, self.shape)
            )
        if wrong := [one for one in found if one.src is not None and one.dst is not None]:
            yield self._update_all(wrong)
        if missing := [one.src for one in found if one.src is not None and one.dst is None]:
            names = self.shape.columns
            values = [value(self._target, name, number) for number, name in enumerate(names)]
            yield sql.SQL("insert into {} ({}) {}select {} from {}").format(
                self._table,
                sql.SQL(", ").join(map(sql.Identifier, names)),
                self._overriding,
                sql.SQL(", ").join(values),
                listed(missing),
            )

    def _update_all(self, wrong: Sequence[Fix]) -> sql.Composable:
        """Set the columns that differ in any of the rows."""
        pairs = [(one.src, one.dst) for one in wrong if one.src and one.dst]
        names, width = self.shape.columns, len(self.shape.key)
        changed = [
            number for number in range(width, len(names))
            if any(src[number] != dst[number] for src, dst in pairs)
        ]  # fmt: skip
        rows = [(*src[:width], *(src[number] for number in changed)) for src, _ in pairs]
        settings = [
            sql.SQL("{} = {}").format(
                sql.Identifier(names[number]), value(self._target, names[number], width + place)
            )
            for place, number in enumerate(changed)
        ]
        return sql.SQL("update {} set {} from {} where {}").format(
            self._only,
            sql.SQL(", ").join(settings),
            listed(rows),
            same_key(self._target, self.shape),
        )

    def _insert(self, row: Values) -> sql.Composable:
        return sql.SQL("insert into {} ({}) {}values ({})").format(
            self._table,
            sql.SQL(", ").join(map(sql.Identifier, self.shape.columns)),
            self._overriding,
            sql.SQL(", ").join(map(sql.Literal, row)),
        )

    def _update(self, src: Values, dst: Values) -> sql.Composable:
        columns = self.shape.columns
        changed = [i for i in range(len(columns)) if src[i] != dst[i]]
        asked = [*range(len(self.shape.key)), *changed]
        return sql.SQL("update {} set {} where {}").format(
            self._only,
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(columns[i]), sql.Literal(src[i]))
                for i in changed
            ),
            sql.SQL(" and ").join(self._is(i, dst[i]) for i in asked),
        )

    def _delete(self, fix: Fix) -> sql.Composable:
        conditions = (self._is(i, value) for i, value in enumerate(fix.key))
        return sql.SQL("delete from {} where {}").format(
            self._only, sql.SQL(" and ").join(conditions)
        )

    def _is(self, number: int, value: str | None) -> sql.Composable:
        name = self.shape.columns[number]
        if value is None:
            return sql.SQL("{} is null").format(sql.Identifier(name))
        if number < len(self.shape.key):
            return sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
        # As text: not every type can be compared, json for one.
        return sql.SQL("{} = {}").format(self.shape.text(name), sql.Literal(value))

    def text(self, fix: Fix, db: Database) -> str:
        """Return the statement as a line of a script."""
        return self.statement(fix).as_string(db.connect()) + ";\n"
