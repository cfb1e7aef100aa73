# SPDX-License-Identifier: ISC
"""The same statements in a database with pgq 3.5 and in one with 4.0, and what each observes.

The statements are in calls/*.sql; each ends with a semicolon at the end of a line. Comments before
one tell what is expected:

    -- literal: TEXT    both fail, and this much of the error is contract
    -- differs: WHY     a defect of 3.5 that is gone, or a decision; then the answers must differ
    -- 3.5: JSON        beside `differs`: the rows, or a text that is in the error
    -- 4.0: JSON        the same

Everything else must be equal: rows, names and types of columns, warnings, and whether it fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
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
KEYS = ("literal", "differs", "3.5", "4.0")


@dataclass(frozen=True, slots=True)
class Call:
    """One statement and what is expected of it, by the keys of its comments."""

    sql: str
    expected: dict[str, str]


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


def read_calls(path: Path) -> Iterator[Call]:
    """Yield the calls of a script."""
    expected: dict[str, str] = {}
    lines: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("-- "):
            key, _, value = line.removeprefix("-- ").partition(": ")
            if key in KEYS:
                expected[key] = value
        elif line:
            lines.append(line)
            if line.endswith(";"):
                yield Call("\n".join(lines).removesuffix(";"), expected)
                expected, lines = {}, []
    assert not lines, f"{path}: no semicolon after {lines}"


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
            return Rows((), (), _warnings(conn.notices))
        columns = tuple((c.name, c.type_code) for c in cursor.description)
        rows = tuple(
            tuple(_plain(c.name, value) for c, value in zip(cursor.description, row, strict=True))
            for row in cursor.fetchall()
        )
        return Rows(columns, rows, _warnings(conn.notices))


def _warnings(lines: Sequence[str]) -> tuple[str, ...]:
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
    if "differs" in call.expected:
        return _compare_different(call, theirs, ours, told)
    literal = call.expected.get("literal", "")
    if isinstance(theirs, Failure) and isinstance(ours, Failure):
        if literal in theirs.text and literal in ours.text:
            return None
        return f"the error does not say {literal!r}: {told}"
    if literal:
        return f"no error where {literal!r} is expected: {told}"
    return None if theirs == ours else f"different: {told}"


def _compare_different(call: Call, theirs: Outcome, ours: Outcome, told: str) -> str | None:
    why = call.expected["differs"]
    if theirs == ours:
        return f"no longer different ({why}): {told}"
    for side, found in (("3.5", theirs), ("4.0", ours)):
        if side in call.expected and not _answers(found, json.loads(call.expected[side])):
            return f"{side} does not answer {call.expected[side]} ({why}): {told}"
    return None


def _answers(found: Outcome, expected: Any) -> bool:
    if isinstance(found, Failure):
        return isinstance(expected, str) and expected in found.text
    return bool([list(row) for row in found.rows] == expected)
