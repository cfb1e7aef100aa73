# SPDX-License-Identifier: ISC
"""What PgQ's functions return, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from skytools.core.errors import UsageError

RETRY_SECONDS = 60


class _EventRow(NamedTuple):
    """The ten columns of a batch in the server's order."""

    id: int
    time_text: str
    txid: int
    retry: int | None
    type: str | None
    data: str | None
    extra1: str | None
    extra2: str | None
    extra3: str | None
    extra4: str | None


class Event(_EventRow):
    """One event of a queue.

    A tuple, not a dataclass: it is made without running a line of Python, millions of times a
    minute. `retry` says how often it was put off, None when never.
    """

    __slots__ = ()

    # Set in the subclass that a reader makes, so that no event carries a reference.
    _put_off: ClassVar[Callable[[Event, int], None] | None] = None

    @property
    def time(self) -> datetime:
        """When the producer's transaction began. Parsed when asked for, as few handlers do.

        Raises ValueError for moments that Python cannot express, such as years before Christ.
        """
        if self.time_text.endswith("infinity"):
            limit = datetime.min if self.time_text.startswith("-") else datetime.max
            return limit.replace(tzinfo=UTC)
        return datetime.fromisoformat(self.time_text)

    def tag_retry(self, seconds: int = RETRY_SECONDS) -> None:
        """Deliver the event again, to this consumer only, after that many seconds.

        Takes effect when the batch is finished; a batch that fails forgets it.
        """
        put_off = type(self)._put_off
        if put_off is None:
            raise UsageError(f"event {self.id} was not read from a queue")
        put_off(self, seconds)

    @classmethod
    def bound_to(cls, put_off: Callable[[Event, int], None]) -> type[Event]:
        """Return the class of the events of a reader, which keeps count of those put off."""
        return type("Event", (cls,), {"__slots__": (), "_put_off": put_off})


# Names of python3-pgq.
for _name in (*(f for f in _EventRow._fields if f != "time_text"), "time"):
    setattr(Event, f"ev_{_name}", getattr(Event, _name))


@dataclass(frozen=True, slots=True)
class Tick:
    """A point in a queue. `event_seq` is a hint: event ids are not dense."""

    id: int
    time: datetime
    event_seq: int


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """What next_batch returns: events that became visible after `prev_tick`, up to `tick`."""

    id: int
    tick: Tick
    prev_tick: Tick


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """Settings and state of a queue; `events_per_second` is None when not known."""

    name: str
    ntables: int
    cur_table: int
    rotation_period: timedelta
    switch_time: datetime
    external_ticker: bool
    ticker_paused: bool
    ticker_max_count: int
    ticker_max_lag: timedelta
    ticker_idle_period: timedelta
    ticker_lag: timedelta
    events_per_second: float | None
    events_new: int
    last_tick_id: int


@dataclass(frozen=True, slots=True)
class ConsumerInfo:
    """State of a consumer on a queue. Without an open batch current_batch, next_tick are None."""

    queue: str
    name: str
    lag: timedelta
    last_seen: timedelta
    last_tick: int
    current_batch: int | None
    next_tick: int | None
    pending_events: int


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How long an event at fault is tried again: pauses of `first`, 2 x first ... `longest`.

    After `tries` tries in all it is a dead letter. Seconds.
    """

    tries: int
    first: float
    longest: float


NEVER_AGAIN = RetryLimits(1, 0, 0)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an event at fault: tried again at `retry_after`, None: a dead letter."""

    event_id: int
    tries: int
    retry_after: datetime | None
