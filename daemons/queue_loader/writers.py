# SPDX-License-Identifier: ISC
"""Writing changes into a table: one by one, or their net effect at once."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.daemons.queue_loader.parts import identifier

log = logging.getLogger("skytools")

Values = dict[str, str | None]
Key = tuple[str | None, ...]

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_TEMP = "queue_loader_tmp"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a row, with the columns that are loaded; `key` are names of columns."""

    operation: str
    key: tuple[str, ...]
    values: Values

    def key_values(self, table: str) -> Key:
        """Return the values of the key. Raises SkytoolsError when there is none."""
        if not self.key:
            raise SkytoolsError(f"table {table}: a change without a key can only be an insert")
        try:
            return tuple(self.values[name] for name in self.key)
        except KeyError as exc:
            raise SkytoolsError(
                f"table {table}: key column {exc.args[0]} is not loaded; see fields"
            ) from None


def plain(db: Database, table: str, change: Change) -> None:
    """Do a change as it was done."""
    if change.operation == "I":
        _insert(db, table, change.values)
    elif change.operation == "U":
        _update(db, table, change)
    else:
        _delete(db, table, change)


def keep_latest(db: Database, table: str, change: Change) -> None:
    """Write the row anew; a deleted one stays as it was last."""
    if change.operation != "D":
        if change.operation == "U" or change.key:
            _delete(db, table, change)
        _insert(db, table, change.values)


def keep_all(db: Database, table: str, change: Change) -> None:
    """Write each state of the row as a row."""
    if change.operation != "D":
        _insert(db, table, change.values)


def _insert(db: Database, table: str, values: Values) -> None:
    query = sql.SQL("insert into {} ({}) values ({})").format(
        identifier(table), _names(values), sql.SQL(", ").join([sql.Placeholder()] * len(values))
    )
    db.execute(query, list(values.values())).close()


def _update(db: Database, table: str, change: Change) -> None:
    key = change.key_values(table)
    changed = {name: value for name, value in change.values.items() if name not in change.key}
    if not changed:
        return
    query = sql.SQL("update {} set {} where {}").format(
        identifier(table), _each("{} = %s", changed, ", "), _each("{} = %s", change.key, " and ")
    )
    with db.execute(query, [*changed.values(), *key]) as cursor:
        if cursor.rowcount != 1:
            log.warning("table %s: update of key %s met %d rows", table, key, cursor.rowcount)


def _delete(db: Database, table: str, change: Change) -> None:
    key = change.key_values(table)
    where = _each("{} = %s", change.key, " and ")
    query = sql.SQL("delete from {} where {}").format(identifier(table), where)
    db.execute(query, key).close()


def _names(names: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _each(form: str, names: Iterable[str], between: str) -> sql.Composable:
    parts = [sql.SQL(form).format(sql.Identifier(name)) for name in names]
    return sql.SQL(between).join(parts)


@dataclass(slots=True)
class Net:
    """What has become of one row: was it there before, and what is it now (None: gone)."""

    before: bool
    now: Values | None


class Bulk:
    """Gathers changes of a table, then writes the net effect of each key."""

    def __init__(self, table: str, mode: str) -> None:
        self._table = table
        self._mode = mode
        self._key: tuple[str, ...] = ()
        self._rows: dict[Key, Net] = {}
        self._keyless: list[Values] = []

    def add(self, change: Change) -> None:
        """Take a change in."""
        if not change.key and change.operation == "I":
            self._keyless.append(change.values)
            return
        self._key = change.key
        key = change.key_values(self._table)
        net = self._rows.get(key)
        if net is None:
            net = self._rows[key] = Net(change.operation != "I", None)
        if change.operation == "D":
            net.now = None
        else:
            net.now = {**(net.now or {}), **change.values}

    def flush(self, db: Database) -> None:
        """Write all."""
        inserts = [net.now for net in self._rows.values() if net.now and not net.before]
        updates = [net.now for net in self._rows.values() if net.now and net.before]
        deletes = [key for key, net in self._rows.items() if net.before and net.now is None]
        self._delete(db, deletes, exact=True)
        if self._mode == "correct":
            self._update(db, updates)
        else:
            again = [*updates, *inserts] if self._mode == "merged" else updates
            keys = [tuple(row[name] for name in self._key) for row in again]
            self._delete(db, keys, exact=False)
            inserts = [*updates, *inserts]
        for names, rows in _alike([*inserts, *self._keyless]):
            _copy(db, identifier(self._table), names, rows)
        self._rows.clear()
        self._keyless.clear()

    def _update(self, db: Database, rows: Sequence[Values]) -> None:
        for names, part in _alike(rows):
            changed = [name for name in names if name not in self._key]
            if not changed:
                continue
            query = sql.SQL("update {} d set {} from {} t where {}").format(
                identifier(self._table), _each("{0} = t.{0}", changed, ", "),
                sql.Identifier(_TEMP), _each("d.{0} = t.{0}", self._key, " and "),
            )  # fmt: skip
            self._joined(db, names, part, query, exact=True)

    def _delete(self, db: Database, keys: Sequence[Key], *, exact: bool) -> None:
        if keys:
            query = sql.SQL("delete from {} d using {} t where {}").format(
                identifier(self._table), sql.Identifier(_TEMP),
                _each("d.{0} = t.{0}", self._key, " and "),
            )  # fmt: skip
            self._joined(db, self._key, keys, query, exact=exact)

    def _joined(
        self,
        db: Database,
        names: Sequence[str],
        rows: Sequence[Sequence[str | None]],
        query: sql.Composable,
        *,
        exact: bool,
    ) -> None:
        """Run a statement that joins the table with rows; `exact`: each must meet one."""
        temp = sql.Identifier(_TEMP)
        make = sql.SQL("create temp table {} on commit drop as select {} from {} where false")
        db.execute(make.format(temp, _names(names), identifier(self._table))).close()
        _copy(db, temp, names, rows)
        db.execute(sql.SQL("analyze {}").format(temp)).close()
        with db.execute(query) as cursor:
            if exact and cursor.rowcount != len(rows):
                what = query.as_string(db.connect()).split(None, 1)[0]
                log.warning("table %s: bulk %s of %d rows met %d", self._table, what, len(rows),
                    cursor.rowcount)  # fmt: skip
        db.execute(sql.SQL("drop table {}").format(temp)).close()


def _alike(rows: Iterable[Values]) -> Iterable[tuple[Sequence[str], list[list[str | None]]]]:
    """Part rows by the columns that they have: these change when the table is altered."""
    groups: dict[tuple[str, ...], list[list[str | None]]] = {}
    for row in rows:
        names = tuple(sorted(row))
        groups.setdefault(names, []).append([row[name] for name in names])
    return groups.items()


def _copy(
    db: Database,
    table: sql.Composable,
    names: Sequence[str],
    rows: Sequence[Sequence[str | None]],
) -> None:
    buffer = io.StringIO()
    for row in rows:
        cells = ("\\N" if value is None else value.translate(_ESCAPES) for value in row)
        buffer.write("\t".join(cells) + "\n")
    buffer.seek(0)
    db.copy(sql.SQL("copy {} ({}) from stdin").format(table, _names(names)), buffer)
