# SPDX-License-Identifier: ISC
"""The same statements in a database with pgq 3.5 and in one with 4.0, and what each observes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from skytools.core.db import Database

# Differ from run to run; whether they are NULL is compared.
MASKED = frozenset(
    (
        *("ev_txid", "tick_snapshot", "queue_switch_step1", "queue_switch_step2"),
        *("lag", "last_seen", "ticker_lag", "ev_per_sec"),
    )
)


@dataclass(frozen=True, slots=True)
class Call:
    """A statement that both sides must answer alike, unless `why` says why they do not.

    `literal`: the error's text is contract and holds this. `theirs` and `ours`, where given
    beside `why`, are what the sides answer: a text that is in the error, or the rows.
    """

    sql: str
    why: str = ""
    literal: str = ""
    theirs: Any = None
    ours: Any = None


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement that succeeds lets a client see."""

    columns: tuple[tuple[str, int], ...]
    rows: tuple[tuple[Any, ...], ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a statement that fails lets a client see."""

    text: str


Outcome = Rows | Failure


def observe(db: Database, sql: str) -> Outcome:
    """Run a statement on an autocommit connection."""
    conn = db.connect()
    conn.notices.clear()
    with conn.cursor() as cursor:
        try:
            cursor.execute(sql)
        except psycopg2.Error as exc:
            return Failure(exc.diag.message_primary or str(exc))
        if cursor.description is None:
            return Rows((), (), _notices(conn.notices))
        columns = tuple((c.name, c.type_code) for c in cursor.description)
        rows = tuple(
            tuple(_plain(c.name, value) for c, value in zip(cursor.description, row, strict=True))
            for row in cursor.fetchall()
        )
        return Rows(columns, rows, _notices(conn.notices))


def _notices(lines: Sequence[str]) -> tuple[str, ...]:
    """Keep warnings: what is below them is talk."""
    return tuple(line.strip() for line in lines if line.startswith("WARNING"))


def _plain(column: str, value: Any) -> Any:
    """Make a value comparable between two databases that were asked one after the other."""
    if value is not None and column in MASKED:
        return "masked"
    if isinstance(value, datetime) and abs(datetime.now(UTC) - value) < timedelta(days=30):
        return f"{(datetime.now(UTC) - value) / timedelta(hours=1):.0f} h ago"
    return value


def compare(old: Database, new: Database, call: Call) -> str | None:
    """Return what is wrong with the two answers to a call, None when nothing is."""
    theirs, ours = observe(old, call.sql), observe(new, call.sql)
    told = f"{call.sql}\n    3.5: {theirs}\n    4.0: {ours}"
    if call.why:
        return _compare_different(call, theirs, ours, told)
    if isinstance(theirs, Failure) and isinstance(ours, Failure):
        if call.literal and not (call.literal in theirs.text and call.literal in ours.text):
            return f"the error does not say {call.literal!r}: {told}"
        return None
    if call.literal:
        return f"no error where {call.literal!r} is expected: {told}"
    return None if theirs == ours else f"different: {told}"


def _compare_different(call: Call, theirs: Outcome, ours: Outcome, told: str) -> str | None:
    if theirs == ours:
        return f"no longer different ({call.why}): {told}"
    for side, expected, found in (("3.5", call.theirs, theirs), ("4.0", call.ours, ours)):
        if expected is None:
            continue
        if isinstance(found, Failure):
            good = isinstance(expected, str) and expected in found.text
        else:
            good = list(found.rows) == expected
        if not good:
            return f"{side} does not answer {expected!r} ({call.why}): {told}"
    return None
