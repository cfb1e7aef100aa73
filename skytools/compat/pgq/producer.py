# SPDX-License-Identifier: ISC
"""Appending events by a cursor, in the caller's transaction. Source: pgq.producer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skytools.compat.copying import magic_insert
from skytools.compat.psycopgwrapper import Borrowed
from skytools.pgq import api

__all__ = ["bulk_insert_events", "insert_event"]

_FIELDS = ("id", "time", "type", "data", "extra1", "extra2", "extra3", "extra4")
_COLUMNS = {field: f"ev_{field}" for field in _FIELDS} | {f"ev_{f}": f"ev_{f}" for f in _FIELDS}
_WAKE = "select pg_notify('pgq_wakeup', queue_id::text) from pgq.queue where queue_name = %s"


def insert_event(  # noqa: PLR0917 - as scripts call it
    curs: Any,
    queue: str,
    ev_type: str | None,
    ev_data: str | None,
    extra1: str | None = None,
    extra2: str | None = None,
    extra3: str | None = None,
    extra4: str | None = None,
) -> int:
    """Append one event and return its id."""
    db = Borrowed(queue, curs.connection)
    return api.insert_event(db, queue, ev_type, ev_data, (extra1, extra2, extra3, extra4))


def bulk_insert_events(
    curs: Any, rows: Sequence[Any], fields: Sequence[str], queue_name: str
) -> None:
    """Append many events by COPY; needs INSERT on the event tables.

    `fields`: id, time, type, data, extra1 ..., also with ev_ in front. Rows are dicts or
    sequences. Does not count towards the limit of events per transaction.
    """
    unknown = [field for field in fields if field not in _COLUMNS]
    if unknown:
        raise ValueError(f"unknown fields of events: {', '.join(unknown)}")
    columns = [_COLUMNS[field] for field in fields]
    table, _, now = api.current_event_table(Borrowed(queue_name, curs.connection), queue_name)
    lines = [
        [row.get(f) for f in fields] if isinstance(row, Mapping) else list(row) for row in rows
    ]
    if "ev_time" not in columns:
        columns = ["ev_time", *columns]
        lines = [[now, *line] for line in lines]
    magic_insert(curs, table, lines, columns, quoted_table=True)
    if lines:
        # COPY passes pgq.insert_event by, which would have woken a ticker that sleeps.
        curs.execute(_WAKE, (queue_name,))
