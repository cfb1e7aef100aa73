# SPDX-License-Identifier: ISC
"""An outbox: events that are there if, and only if, the caller's transaction commits.

With psycopg2 an Outbox is made of the caller's connection or cursor. Other drivers run the
statement of `statement()` in their transaction, with `arguments()`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from skytools.core.borrowed import Borrowed, driver_connection
from skytools.core.errors import UsageError
from skytools.pgq import api, producer
from skytools.pgq.producer import NewEvent

_IDLE = 0  # what psycopg2 says of a connection without transaction
_NAMES = ("queue", "ev_type", "ev_data", "ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4")

# Style of DB-API, or "dollar" ($1, as asyncpg and PostgreSQL itself) -> a parameter.
_STYLES = {
    "format": "%s",
    "pyformat": "%({name})s",
    "named": ":{name}",
    "numeric": ":{number}",
    "qmark": "?",
    "dollar": "${number}",
}


def statement(style: str = "format") -> str:
    """Return the SQL that appends one event, with parameters in the style of a driver.

    "format" and "pyformat" are those of psycopg 2 and 3, "dollar" is that of asyncpg. The
    parameters are what arguments() returns; it gives the event's id.
    """
    if style not in _STYLES:
        raise UsageError(f"unknown style {style}; known: {', '.join(_STYLES)}")
    marks = (
        f"cast({_STYLES[style].format(name=name, number=number)} as text)"
        for number, name in enumerate(_NAMES, 1)
    )
    return api.insert_event_statement(marks)


def arguments(
    queue: str, ev_type: str | None, ev_data: str | None, *extras: str | None
) -> dict[str, str | None]:
    """Return the parameters of statement() by name; their values are in the order of positions."""
    event = NewEvent(ev_type, ev_data, *extras)
    return dict(zip(_NAMES, (queue, *event), strict=True))


class Outbox:
    """Appends events to a queue in the transaction of a connection that somebody else has opened.

    `connection` is a connection or cursor of psycopg2, or a wrapper that leads to one, such as
    those of Django and SQLAlchemy. Nothing is committed here. Errors are those of skytools; the
    transaction can only be rolled back then, as after any error.
    """

    def __init__(self, connection: Any, queue: str) -> None:
        self.queue = queue
        self._conn = driver_connection(connection)

    def put(self, ev_type: str | None, ev_data: str | None, *extras: str | None) -> int:
        """Append one event, with up to four extra fields, and return its id."""
        return producer.insert_event(self._db(), self.queue, ev_type, ev_data, *extras)

    def put_at(
        self, when: datetime, ev_type: str | None, ev_data: str | None, *extras: str | None
    ) -> int:
        """Append one event that consumers get at a later time; `when` has a time zone."""
        return producer.insert_event_at(self._db(), self.queue, when, ev_type, ev_data, *extras)

    def put_many(self, events: Iterable[NewEvent]) -> int:
        """Append many events, by COPY where the role may, and return how many."""
        return producer.insert_events(self._db(), self.queue, events)

    def _db(self) -> Borrowed:
        """Return the connection. Raises UsageError where no transaction would hold it together."""
        if self._conn.autocommit and self._conn.get_transaction_status() == _IDLE:
            raise UsageError(
                f"queue {self.queue}: the connection is in autocommit and no transaction is open:"
                " the event would be there whatever becomes of your work; begin one first"
            )
        return Borrowed("outbox", self._conn)
