# SPDX-License-Identifier: ISC
"""Events that are changes of rows, as the trigger pgq.logutriga writes them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_plus

from skytools.core.errors import SkytoolsError
from skytools.pgq.types import Event


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row that was inserted (I), updated (U) or deleted (D); values are text or None."""

    operation: str
    key: tuple[str, ...]
    table: str
    values: dict[str, str | None]

    def key_values(self) -> tuple[str | None, ...]:
        """Return the values of the key columns. Raises SkytoolsError when one is missing."""
        try:
            return tuple(self.values[name] for name in self.key)
        except KeyError as exc:
            missing = f"key column {exc.args[0]} is not in the event"
            raise SkytoolsError(f"table {self.table}: {missing}") from None


def is_row_change(event: Event) -> bool:
    """Tell whether an event is of the format of logutriga."""
    return (event.type or "")[:2] in ("I:", "U:", "D:")


def row_change(event: Event) -> RowChange:
    """Read an event for which is_row_change() holds."""
    operation, _, keys = (event.type or "").partition(":")
    key = tuple(name for name in keys.split(",") if name)
    return RowChange(operation, key, event.extra1 or "", decode(event.data or ""))


def decode(text: str) -> dict[str, str | None]:
    """Read `a=1&b&c=`: {"a": "1", "b": None, "c": ""}; of one name the last counts."""
    out: dict[str, str | None] = {}
    for part in text.split("&"):
        if part:
            name, equals, value = part.partition("=")
            out[unquote_plus(name)] = unquote_plus(value) if equals else None
    return out


class Arguments(dict[str, object]):
    """Values for the %(name)s of a statement."""

    def __missing__(self, name: str) -> object:
        raise SkytoolsError(f"the statement wants column {name}, which the event does not have")


def query_arguments(event: Event, tick_id: int) -> Arguments:
    """Return the columns of a row event for %(name)s, and the event's own fields as pgq.NAME."""
    out = Arguments(row_change(event).values)
    for name in _FIELDS:
        out[f"pgq.{name}"] = getattr(event, name)
    out.update({"pgq.ev_time": event.time_text, "pgq.tick_id": tick_id})
    return out


class _Anything(dict[str, object]):
    def __missing__(self, name: str) -> object:
        return ""


def check_statement(text: str) -> str | None:
    """Return what is wrong with the parameters of a statement."""
    rule = "write a parameter as %(name)s, in the file %%(name)s, and % itself as %%%%"
    if "%s" in text.replace("%%", ""):
        return f"a parameter has no name: {rule}"
    try:
        _ = text % _Anything()
    except (ValueError, TypeError) as exc:
        return f"{exc}: {rule}"
    return None


_FIELDS = ("ev_id", "ev_type", "ev_data", "ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4")
