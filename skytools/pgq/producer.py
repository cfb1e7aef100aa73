# SPDX-License-Identifier: ISC
"""Appending events from Python, in the caller's transaction: nothing here commits."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from skytools.core.db import Database, sql
from skytools.core.errors import UsageError
from skytools.pgq import api
from skytools.pgq.types import Event

# Text sent to the server at once.
COPY_CHARS = 4 << 20
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_COPY = "copy {} (ev_time, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4) from stdin"
_COPY_WITH_IDS = _COPY.replace("(", "(ev_id, ", 1)


class NewEvent(NamedTuple):
    """An event to be appended."""

    type: str | None
    data: str | None
    extra1: str | None = None
    extra2: str | None = None
    extra3: str | None = None
    extra4: str | None = None


def insert_event(
    db: Database,
    queue: str,
    ev_type: str | None,
    ev_data: str | None,
    *extras: str | None,
) -> int:
    """Append one event, with up to four extra fields, and return its id.

    Consumers see it when the transaction commits.
    """
    return insert_new(db, queue, NewEvent(ev_type, ev_data, *extras))


def insert_event_at(
    db: Database,
    queue: str,
    when: datetime,
    ev_type: str | None,
    ev_data: str | None,
    *extras: str | None,
) -> int:
    """Append one event at a later time and return its id; a time that has passed means now.

    `when` must have a time zone. Consumers get the event then, within the ticker's retry_period.
    """
    if when.tzinfo is None:
        raise UsageError(f"{when} has no time zone, so it is no certain moment")
    return api.insert_event_at(db, queue, when, NewEvent(ev_type, ev_data, *extras))


def insert_new(db: Database, queue: str, event: NewEvent) -> int:
    """Append one event and return its id."""
    return api.insert_event(db, queue, event.type, event.data, event[2:])


def insert_events(db: Database, queue: str, events: Iterable[NewEvent]) -> int:
    """Append many events and return how many; ids are in their order.

    By COPY, with memory for a few megabytes, where the role may insert into the event tables
    (pgq_admin); otherwise by pgq.insert_event, several times slower. COPY does not count
    towards the limit of events per transaction.
    """
    table, may_copy, now = api.current_event_table(db, queue)
    if not may_copy:
        return _insert_one_by_one(db, queue, events)
    statement = sql.SQL(_COPY).format(sql.Identifier(*table.split(".", 1)))
    buffer = io.StringIO()
    held: NewEvent | None = None
    count = 0
    for event in events:
        if held is not None:
            buffer.write(_line(now, held))
        held = event
        count += 1
        if buffer.tell() >= COPY_CHARS:
            _copy(db, statement, buffer)
    if held is not None:
        _copy(db, statement, buffer)
        # The last one goes the normal way, which wakes a ticker that sleeps.
        insert_new(db, queue, held)
    return count


def copy_events(db: Database, queue: str, events: Sequence[Event]) -> None:
    """Append events of the provider to the queue of a branch by COPY, with their ids and times.

    The transaction must be in session_replication_role replica: a branch takes no other events.
    """
    if not events:
        return
    table, _, _ = api.current_event_table(db, queue)
    statement = sql.SQL(_COPY_WITH_IDS).format(sql.Identifier(*table.split(".", 1)))
    buffer = io.StringIO()
    for event in events:
        buffer.write(f"{event.id}\t" + _line(event.time_text, event[4:]))
    _copy(db, statement, buffer)


def carry_events(db: Database, queue: str, events: Sequence[Event]) -> None:
    """Append events of another queue by COPY, with their times; ids are new, in their order.

    The role needs what pgq_admin has.
    """
    if not events:
        return
    table, _, _ = api.current_event_table(db, queue)
    statement = sql.SQL(_COPY).format(sql.Identifier(*table.split(".", 1)))
    buffer = io.StringIO()
    for event in events[:-1]:
        buffer.write(_line(event.time_text, event[4:]))
        if buffer.tell() >= COPY_CHARS:
            _copy(db, statement, buffer)
    _copy(db, statement, buffer)
    # The last one goes the normal way, which wakes a ticker that sleeps.
    api.insert_event_raw(db, queue, events[-1])


def _insert_one_by_one(db: Database, queue: str, events: Iterable[NewEvent]) -> int:
    count = 0
    for event in events:
        insert_new(db, queue, event)
        count += 1
    return count


def _copy(db: Database, statement: sql.Composed, buffer: io.StringIO) -> None:
    buffer.seek(0)
    db.copy(statement, buffer)
    buffer.seek(0)
    buffer.truncate()


def _line(now: str, event: Sequence[str | None]) -> str:
    fields = ["\\N" if value is None else value.translate(_ESCAPES) for value in event]
    return "\t".join((now, *fields)) + "\n"
