# SPDX-License-Identifier: ISC
"""Events of the triggers logutriga, jsontriga and sqltriga, as changes of rows."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote_plus

from skytools.core.errors import SkytoolsError
from skytools.pgq import Event

INSERT, UPDATE, DELETE, TRUNCATE = "I", "U", "D", "R"
_JSON_OPERATIONS = {"INSERT": INSERT, "UPDATE": UPDATE, "DELETE": DELETE, "TRUNCATE": TRUNCATE}


class ApplyError(SkytoolsError):
    """A change that cannot be applied; the text names event and table."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was inserted (I), updated (U) or deleted (D).

    `values` is the whole row, of a DELETE the old one; as text, None is NULL. `old_key` has the
    key before the change where it is known to be another.
    """

    operation: str
    key: tuple[str, ...]
    values: dict[str, str | None]
    old_key: tuple[str | None, ...] | None = None

    def key_values(self) -> tuple[str | None, ...]:
        """Return the values of the key columns."""
        return tuple(self.values[name] for name in self.key)


@dataclass(frozen=True, slots=True)
class Partial:
    """A change that sqltriga has written: what follows the name of the table in a statement."""

    operation: str
    text: str

    def statement(self, table: str) -> str:
        """Return the whole statement for a table, which is given as SQL with ONLY."""
        verbs = {
            INSERT: f"insert into {table.removeprefix('only ')} ",
            UPDATE: f"update {table} set ",
            DELETE: f"delete from {table} where ",
        }
        return verbs[self.operation] + self.text


@lru_cache(maxsize=4096)
def operation_of(ev_type: str) -> tuple[str, tuple[str, ...] | None]:
    """Return (operation, key columns); (I, U or D, None) of sqltriga; ("", None) for all else.

    For jsontriga, too. TRUNCATE is R.
    """
    head, colon, keys = ev_type.partition(":")
    if head in (INSERT, UPDATE, DELETE):
        return head, tuple(name for name in keys.split(",") if name) if colon else None
    if ev_type == TRUNCATE:
        return TRUNCATE, None
    if ev_type.startswith("{"):
        try:
            fields = json.loads(ev_type)
            return _JSON_OPERATIONS[fields["op"]], tuple(fields.get("pkey") or ())
        except (ValueError, KeyError, TypeError):
            return "", None
    return "", None


def decode(event: Event, errors: str = "strict") -> Change | Partial | None:
    """Read an event of any of the triggers; None: it is no change of a row.

    `errors`: what becomes of bytes that are no UTF-8, as for bytes.decode(). Raises ApplyError when
    it cannot be understood.
    """
    ev_type = event.type or ""
    operation, key = operation_of(ev_type)
    if operation in ("", TRUNCATE):
        return None
    data = event.data or ""
    if key is None:
        return Partial(operation, data)
    read = _from_json if ev_type.startswith("{") else partial(_from_url, errors=errors)
    values = read(event, data)
    missing = [name for name in key if name not in values]
    if missing:
        joined = _joined(key, values)
        if joined is None:
            raise ApplyError(f"event {event.id}: key column {missing[0]} is not in its data")
        key = joined
    change = Change(operation, key, values)
    if operation == UPDATE and event.extra2:
        old = read(event, event.extra2)
        before = tuple(old.get(name) for name in key)
        if before != change.key_values() and None not in before:
            change = Change(operation, key, values, before)
    return change


def _joined(parts: tuple[str, ...], known: Container[str]) -> tuple[str, ...] | None:
    """Put names together that have commas; None when that makes no columns."""
    if not parts:
        return ()
    for size in range(1, len(parts) + 1):
        name = ",".join(parts[:size])
        rest = _joined(parts[size:], known) if name in known else None
        if rest is not None:
            return (name, *rest)
    return None


def _from_url(event: Event, text: str, errors: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    try:
        for part in text.split("&"):
            if part:
                name, equals, value = part.partition("=")
                key = unquote_plus(name, errors=errors)
                found[key] = unquote_plus(value, errors=errors) if equals else None
    except UnicodeDecodeError as exc:
        raise ApplyError(f"event {event.id}: table {event.extra1}: its data are no UTF-8") from exc
    return found


def _from_json(event: Event, text: str) -> dict[str, str | None]:
    try:
        found = json.loads(text, parse_float=str)
    except ValueError as exc:
        raise ApplyError(f"event {event.id}: its data are no JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise ApplyError(f"event {event.id}: its data are no JSON object")
    return {name: _json_text(value) for name, value in found.items()}


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)
