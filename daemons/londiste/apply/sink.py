# SPDX-License-Identifier: ISC
"""Collects the changes of one table and reckons their net effect.

| before | and now | makes |
|---|---|---|
| nothing | insert, update, delete | the same |
| insert | update | insert of the newer row |
| insert | delete | nothing |
| update | update | update by the newer row |
| update | delete | delete |
| delete | insert | delete, and insert |

Deletes are written first, then updates, then inserts, so that a unique value can move on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from skytools.daemons.londiste.apply.changes import (
    DELETE,
    INSERT,
    UPDATE,
    ApplyError,
    Change,
    Partial,
    decode,
    operation_of,
)
from skytools.daemons.londiste.apply.rowwise import Row
from skytools.daemons.londiste.apply.shape import Key, Shape
from skytools.daemons.londiste.apply.target import TargetTable
from skytools.daemons.londiste.apply.text import decode_line, needs_escape, to_line
from skytools.daemons.londiste.apply.writer import Logged, Work, Writer
from skytools.pgq import Event

if TYPE_CHECKING:
    from skytools.daemons.londiste.apply.applier import Applier

# How UPDATE and INSERT are done: as they are; UPDATE by DELETE and INSERT; INSERT, too.
UPDATES, DELETES, MERGES = 0, 1, 2


class Sink:
    """Changes of one table since the last flush.

    `add` takes an event, `put` a change that a handler has made of one.
    """

    def __init__(self, applier: Applier, table: TargetTable, method: int, *, by_row: bool) -> None:
        self._applier = applier
        self._table = table
        self.method = method
        # Triggers of the table shall find all others as they were at the source.
        self.strict = table.fires
        self.by_row = self._always_by_row = by_row or table.fires
        self._shape: Shape | None = None
        self._shapes: dict[tuple[tuple[str, ...], tuple[str, ...]], Shape] = {}
        self._type: str | None = ""  # the ev_type that `_operation` is of
        self._operation = ""
        self._inserts: dict[Key, str] = {}
        self._updates: dict[Key, str] = {}
        self._deletes: dict[Key, str] = {}
        self._changes: list[Logged] = []
        self._statements: list[Row] = []

    @property
    def waits(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._changes or self._statements)

    def add(self, event: Event) -> None:
        """Take an event of the table, in the format of any trigger."""
        shape = self._shape
        kind, data = event[4], event[5]
        if shape is None or data is None or kind is None:
            self._decode(event)
            return
        if kind != self._type:
            operation, key = operation_of(kind)
            if key != shape.key or kind[1] != ":":
                self._decode(event)
                return
            self._type, self._operation = kind, operation
        operation = self._operation
        match = (shape.match_key if operation == DELETE else shape.match)(data)
        if match is None or needs_escape(data) or (operation == UPDATE and event[7] is not None):
            self._decode(event)
            return
        fields: Sequence[str] = match.groups("\\N")
        line = "\t".join(fields)
        if "%" in data or "+" in data:
            try:
                line = decode_line(line)
            except UnicodeDecodeError as exc:
                raise ApplyError(
                    f"event {event.id}: table {self._table.name}: its data are no UTF-8"
                ) from exc
            fields = line.split("\t", shape.key_end)
        if operation == UPDATE and not (self.by_row or self._statements):
            self._changes.append((operation, line, event[0]))
            key = shape.key_of(fields)
            if self._inserts and key in self._inserts:
                self._inserts[key] = line
            else:
                self._updates[key] = line
            return
        self._note(operation, line, fields, event[0])

    def _note(self, operation: str, line: str, fields: Sequence[str], event_id: int) -> None:
        """Reckon the net effect; `fields` are those of the line."""
        if self._statements:
            self._applier.flush()
        self._changes.append((operation, line, event_id))
        if self.by_row:
            if self.strict:
                self._applier.flush()
            return
        shape = self._shape
        assert shape is not None
        if operation == UPDATE:
            key = shape.key_of(fields)
            inserts = self._inserts
            if inserts and key in inserts:
                inserts[key] = line
            else:
                self._updates[key] = line
        elif operation == INSERT:
            key = shape.key_of(fields) if shape.key else len(self._inserts)
            if key in self._inserts or key in self._updates:
                self._puzzle()  # twice the same key: the server shall say what it thinks of it
            self._inserts[key] = line
        else:
            self._delete(fields, line)

    def _delete(self, fields: Sequence[str], line: str) -> None:
        key = fields[0] if len(fields) == 1 else tuple(fields)
        if key in self._inserts:
            del self._inserts[key]
            return
        self._updates.pop(key, None)
        if key in self._deletes:
            self._puzzle()
        self._deletes[key] = line

    def _puzzle(self) -> None:
        """Have the changes of this flush written row by row."""
        self._inserts.clear()
        self._updates.clear()
        self._deletes.clear()
        self.by_row = True

    # the general way

    def _decode(self, event: Event) -> None:
        change = decode(event)
        if change is None:
            raise ApplyError(f"event {event.id}: type {event.type} is no change of a row")
        if isinstance(change, Partial):
            self._partial(change, event.id)
            return
        self.put(change, event.id)

    def put(self, change: Change, event_id: int) -> None:
        """Take a change."""
        shape = self._use(tuple(change.values), change.key, event_id)
        fields = to_line(change.values[one.name] for one in shape.columns).split("\t")
        if change.operation == DELETE or change.old_key is not None:
            old = dict(zip(change.key, change.old_key or change.key_values(), strict=True))
            line = to_line(old[one.name] for one in shape.key_columns)
            self._note(DELETE, line, line.split("\t"), event_id)
            if change.operation == DELETE:
                return
        operation = INSERT if change.old_key is not None else change.operation
        self._note(operation, "\t".join(fields), fields, event_id)

    def _partial(self, change: Partial, event_id: int) -> None:
        if self._changes:
            self._applier.flush()
        counted = change.operation != INSERT
        statement = change.statement(self._table.only)
        self._statements.append(Row(statement, event_id, counted=counted))
        if self.strict:
            self._applier.flush()

    def _use(self, columns: tuple[str, ...], key: tuple[str, ...], event_id: int) -> Shape:
        """Make the columns those of the changes that wait; others are written before."""
        if self._shape and (self._shape.given, self._shape.key) == (columns, key):
            return self._shape
        if self._changes:
            self._applier.flush()
        name = (columns, key)
        if name not in self._shapes:
            self._shapes[name] = Shape(self._table, columns, key, event_id)
        self._shape = self._shapes[name]
        self._type = ""
        return self._shape

    # what waits

    def take(self) -> Work | None:
        """Hand over the changes that wait, which then wait no more."""
        return self._take() if self._changes else None

    def write(self, writer: Writer) -> list[Callable[[], None]]:
        """Hand over the statements that wait, which then wait no more: steps that write them."""
        steps: list[Callable[[], None]] = []
        if self._statements:
            steps.append(partial(writer.write_statements, self._table, self._statements))
            self._statements = []
        return steps

    def batch_ends(self) -> None:
        """Go back to sets after a batch in which that was not possible."""
        self.by_row = self._always_by_row

    def _take(self) -> Work:
        shape = self._shape
        assert shape is not None
        deletes, updates, inserts = self._deletes, self._updates, self._inserts
        if updates and (self.method != UPDATES or shape.replaces):
            deletes.update({key: _key_line(shape, line) for key, line in updates.items()})
            inserts, updates = {**updates, **inserts}, {}
        if self.method == MERGES:
            deletes.update({key: _key_line(shape, line) for key, line in inserts.items()})
        work = Work(
            shape,
            list(deletes.values()),
            list(updates.values()),
            list(inserts.values()),
            self._changes,
            by_row=self.by_row,
            merges=self.method == MERGES,
            rewrites=self.method != UPDATES or shape.replaces,
            failed=self._failed,
        )
        self._inserts, self._updates, self._deletes = {}, {}, {}
        self._changes = []
        return work

    def _failed(self) -> None:
        """Write by rows up to the end of the batch, as sets did not work."""
        self.by_row = True


def _key_line(shape: Shape, line: str) -> str:
    fields = line.split("\t")
    return "\t".join(fields[place] for place in shape.key_places)
