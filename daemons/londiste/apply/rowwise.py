# SPDX-License-Identifier: ISC
"""Changes written row by row, in their order: many in a round trip; singly to find a fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skytools.core.db import Database
from skytools.core.errors import DatabaseError
from skytools.daemons.londiste.apply.changes import ApplyError
from skytools.daemons.londiste.names import literal

CHUNK_ROWS = 100
CHUNK_CHARS = 1 << 20
_SETTING = "skytools.missed"


@dataclass(frozen=True, slots=True)
class Row:
    """One change as a statement.

    `counted`: it must find a row. `otherwise`: the statement to run when it does not.
    """

    statement: str
    event_id: int
    counted: bool = False
    otherwise: str = ""


def write(db: Database, rows: Sequence[Row]) -> list[int]:
    """Write changes; returns the places of those that found no row.

    Raises ApplyError that names the event at fault.
    """
    missed: list[int] = []
    for start, chunk in _chunks(rows):
        if len(chunk) == 1:
            missed += [start + n for n in _singly(db, chunk)]
            continue
        db.execute("savepoint skytools_rows").close()
        try:
            found = _together(db, chunk)
        except DatabaseError:
            db.execute("rollback to savepoint skytools_rows").close()
            found = _singly(db, chunk)
        db.execute("release savepoint skytools_rows").close()
        missed += [start + n for n in found]
    return missed


def _chunks(rows: Sequence[Row]) -> Iterator[tuple[int, Sequence[Row]]]:
    start = size = 0
    for place, row in enumerate(rows):
        length = len(row.statement) + len(row.otherwise)
        if place > start and (place - start >= CHUNK_ROWS or size + length > CHUNK_CHARS):
            yield start, rows[start:place]
            start, size = place, 0
        size += length
    if start < len(rows):
        yield start, rows[start:]


def _together(db: Database, rows: Sequence[Row]) -> list[int]:
    """Write changes in one round trip."""
    if not any(row.counted for row in rows):
        db.execute(";\n".join(row.statement for row in rows)).close()
        return []
    # A name that no column has; a column would win.
    body = ["#variable_conflict use_column", "declare skytools_missed text := '';", "begin"]
    for place, row in enumerate(rows):
        body.append(row.statement + ";")
        if row.counted:
            note = f"skytools_missed := skytools_missed || ',{place}';"
            otherwise = f" {row.otherwise};" if row.otherwise else ""
            body.append(f"if not found then {note}{otherwise} end if;")
    body.append(f"perform set_config('{_SETTING}', skytools_missed, true); end")
    text = literal("\n".join(body))
    answer = db.value(f"do {text}; select current_setting('{_SETTING}')") or ""
    return [int(place) for place in answer.split(",") if place]


def _singly(db: Database, rows: Sequence[Row]) -> list[int]:
    """Write changes one by one."""
    missed = []
    for place, row in enumerate(rows):
        with named(row.event_id):
            count = _run(db, row.statement)
            if row.counted and not count:
                missed.append(place)
                if row.otherwise:
                    _run(db, row.otherwise)
    return missed


def _run(db: Database, statement: str) -> int:
    with db.execute(statement) as cursor:
        return cursor.rowcount


@contextlib.contextmanager
def named(event_id: int) -> Iterator[None]:
    """Say of an error of the server which event it was."""
    try:
        yield
    except DatabaseError as exc:
        raise ApplyError(f"event {event_id} cannot be applied: {exc}") from exc
