# SPDX-License-Identifier: ISC
"""Events of a queue. Source: pgq.event of python3-pgq 3.x."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from skytools.core.db import Row

__all__ = ["Event", "RetriableEvent"]

RETRY_TIME = 60
EV_RETRY = 0
EV_DONE = 1

# Columns of a batch in the server's order, and in the order of the mapping.
COLUMNS = (
    *("ev_id", "ev_time", "ev_txid", "ev_retry", "ev_type", "ev_data"),
    *("ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4"),
)
FIELDS = (
    *("ev_id", "ev_txid", "ev_time", "ev_type", "ev_data"),
    *("ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4", "ev_retry"),
)


def mapping_of(row: Row) -> dict[str, Any]:
    """Return the mapping of a row in the server's order, whose time is text."""
    out = dict(zip(COLUMNS, row, strict=True))
    out["ev_time"] = _moment(row[1])
    return out


def _moment(text: str) -> datetime:
    if text.endswith("infinity"):
        limit = datetime.min if text.startswith("-") else datetime.max
        return limit.replace(tzinfo=UTC)
    return datetime.fromisoformat(text)


class Event:
    """One event: attributes id, type, data ..., the same as ev_id ..., a mapping of the latter."""

    __slots__ = ("_event_row", "queue_name", "retry_time")

    def __init__(self, queue_name: str, row: Mapping[str, Any]) -> None:
        self._event_row = row
        self.queue_name = queue_name
        self.retry_time = RETRY_TIME

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise KeyError(name)  # what python3-pgq raised

    def tag_done(self) -> None:
        """Note that the event is done with; it is by default."""

    def __getitem__(self, k: str) -> Any:
        if k not in FIELDS:
            raise KeyError(k)
        return self._event_row[k]

    def __contains__(self, k: object) -> bool:
        return k in FIELDS

    def has_key(self, k: str) -> bool:
        """Tell whether there is such a column."""
        return k in FIELDS

    def get(self, k: str, d: Any = None) -> Any:
        """Return a column, or `d` when there is none."""
        return self._event_row[k] if k in FIELDS else d

    def keys(self) -> Iterable[str]:
        """Return the names of the columns."""
        return iter(FIELDS)

    def __iter__(self) -> Iterable[str]:
        return iter(FIELDS)

    def values(self) -> Iterable[Any]:
        """Return the columns."""
        return (self._event_row[name] for name in FIELDS)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return (name, value) of the columns."""
        return ((name, self._event_row[name]) for name in FIELDS)

    def __str__(self) -> str:
        row = self._event_row
        extras = " ".join(f"e{n}={row[f'ev_extra{n}']}" for n in range(1, 5))
        return f"<id={row['ev_id']} type={row['ev_type']} data={row['ev_data']} {extras}>"


def _column(name: str) -> property:
    return property(lambda event: event._event_row[name])


for _name in COLUMNS:
    setattr(Event, _name, _column(_name))
    setattr(Event, _name.removeprefix("ev_"), property(attrgetter(_name)))


class RetriableEvent(Event):
    """An event that can be put off; done unless tagged otherwise.

    `retries` (event id -> seconds) is the batch's list of those put off.
    """

    __slots__ = ("_retries",)

    def __init__(
        self, queue_name: str, row: Mapping[str, Any], retries: dict[int, int] | None = None
    ) -> None:
        super().__init__(queue_name, row)
        self._retries: dict[int, int] = {} if retries is None else retries

    def tag_done(self) -> None:
        """Take a tag_retry() back."""
        self._retries.pop(self._event_row["ev_id"], None)

    def tag_retry(self, retry_time: int = RETRY_TIME) -> None:
        """Deliver the event again after that many seconds, when the batch is finished."""
        self.retry_time = retry_time
        self._retries[self._event_row["ev_id"]] = retry_time

    def get_status(self) -> int:
        """Return 0 when the event is put off, 1 when it is done."""
        return EV_RETRY if self._event_row["ev_id"] in self._retries else EV_DONE
