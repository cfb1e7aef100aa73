# SPDX-License-Identifier: ISC
"""Reading a queue batch by batch, with bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypedDict, cast

from skytools.core.db import Database, Row
from skytools.core.errors import SkytoolsError, UsageError
from skytools.pgq import api
from skytools.pgq.types import NEVER_AGAIN, BatchInfo, Event, Fate, RetryLimits, Tick

# A block of rows grows from the configured number to this many, while it stays small in bytes.
MAX_BLOCK_ROWS = 2000
BLOCK_BYTES = 1 << 20
SAMPLE_ROWS = 50
ALL_ROWS = 2**31 - 1
# Retries kept in memory before they are sent.
MAX_PENDING_RETRIES = 1000
# What is kept of an error's text.
REASON_CHARS = 2000
# Ask for a sign of life about this often, in seconds of work of the handler.
SLICE_SECONDS = 0.05


@dataclass(slots=True, eq=False)
class Batch:
    """An open batch: iterate over it to get its events, in the order of their ids.

    Each iteration reads the server's rows anew, in blocks, so that a batch of any size fits.
    `current` is the event handed out last; `events` counts those of the finished iteration,
    `retried` those put off, `faults` those that failed and were left out, `skipped` those that an
    earlier run had worked on.
    """

    info: BatchInfo
    queue: str
    consumer: str
    reader: BatchReader = field(repr=False)
    current: Event | None = None
    events: int = 0
    retried: int = 0
    skipped: int = 0
    faults: int = 0
    _unread: bool = False
    _iterations: int = 0
    _given: Sequence[Event] | None = None
    _flow: Iterator[Event] | None = None

    @property
    def id(self) -> int:
        """Number of the batch, unique in the source database; the same when redelivered."""
        return self.info.id

    @property
    def tick(self) -> Tick:
        """The tick that ends the batch."""
        return self.info.tick

    @property
    def prev_tick(self) -> Tick:
        """The tick after which the batch begins."""
        return self.info.prev_tick

    def require_read(self) -> None:
        """Raise SkytoolsError when an iteration was begun and events were left over."""
        if self._unread:
            raise SkytoolsError(
                f"queue {self.queue}: the handler left batch {self.id} before its last event;"
                " read all of them, or call batch.skip() to leave the rest out"
            )

    def skip(self) -> None:
        """Finish the batch although not all events were read; the rest is never seen again."""
        self._unread = False

    def retry(self, event: Event, seconds: int) -> None:
        """Deliver an event again after that many seconds; the same as event.tag_retry()."""
        self.reader.put_off(event, seconds)

    def of(self, events: Sequence[Event]) -> Batch:
        """Return a view of the batch that has these events alone."""
        return Batch(self.info, self.queue, self.consumer, self.reader, _given=events)

    def through(self, flow: Iterator[Event]) -> Batch:
        """Return a view of the batch that has, once, what `flow` lets through."""
        return Batch(self.info, self.queue, self.consumer, self.reader, _flow=flow)

    def __iter__(self) -> Iterator[Event]:
        if self._flow is not None:
            for event in self._flow:
                self.current = event
                yield event
            return
        if self._given is not None:
            self.events = len(self._given)
            for event in self._given:
                self.current = event
                yield event
            return
        self._iterations += 1
        self._unread = True
        self.current = None
        self.events = 0
        make = cast("Callable[[Row], Event]", partial(tuple.__new__, self.reader.event_type))
        cursor = f"batch_{self.id}_{self._iterations}"
        monotonic, alive = time.monotonic, self.reader.alive
        step = 1
        for rows in self.reader.blocks(self.id, cursor):
            done = 0
            while done < len(rows):
                started = monotonic()
                part = rows[done : done + step]
                for event in map(make, part):
                    self.current = event
                    yield event
                done += len(part)
                alive()
                # Slices as long as the handler is fast: nothing is paid for each event.
                step = step * 4 if monotonic() - started < SLICE_SECONDS else max(1, step // 2)
            self.events += len(rows)
        self._unread = False


class ReaderOptions(TypedDict, total=False):
    """The named arguments of a BatchReader."""

    block_rows: int
    min_count: int | None
    min_interval: str | None
    min_lag: str | None
    where: str | None
    durable: bool
    ordered: bool
    limits: RetryLimits
    alive: Callable[[], None]


class BatchReader:
    """One consumer's place in a queue.

    Without autocommit the work on `db` that the caller does between next() and finish() is
    committed together with the end of the batch. `block_rows` is the number of rows of the
    first block, 0 for the whole batch at once. `alive` is called while a batch is read.
    `fates` says what became of the events at fault in the batch that was finished last.
    `ordered`: no event may be put off, as its successors would overtake it.
    """

    def __init__(
        self,
        db: Database,
        queue: str,
        consumer: str,
        *,
        block_rows: int = 300,
        min_count: int | None = None,
        min_interval: str | None = None,
        min_lag: str | None = None,
        where: str | None = None,
        durable: bool = True,
        ordered: bool = False,
        limits: RetryLimits = NEVER_AGAIN,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.db = db
        self.queue = queue
        self.consumer = consumer
        self.block_rows = block_rows
        self.min_count = min_count
        self.min_interval = min_interval
        self.min_lag = min_lag
        self.where = where
        self.durable = durable
        self.ordered = ordered
        self.limits = limits
        self.fates: list[Fate] = []
        self.alive = alive
        self.event_type = Event.bound_to(self.put_off)
        self._batch: Batch | None = None
        self._retries: dict[int, int] = {}
        self._faults: dict[int, str] = {}

    def next(self) -> Batch | None:
        """Open the next batch, committed at once, or the one left open; None when none is due.

        Raises DatabaseError when the consumer is not registered.
        """
        self._batch = None
        self._retries.clear()
        self._faults.clear()
        self.fates = []
        info = self.open()
        if info is not None:
            self._batch = Batch(info, self.queue, self.consumer, self)
        return self._batch

    def open(self) -> BatchInfo | None:
        """Ask the server for the next batch, or the open one. Committed at once."""
        return api.next_batch(
            self.db,
            self.queue,
            self.consumer,
            min_lag=self.min_lag,
            min_count=self.min_count,
            min_interval=self.min_interval,
            durable=self.durable,
        )

    def close(self, batch_id: int) -> bool:
        """Tell the server that a batch is done; false when it is not open any more."""
        return api.finish_batch(self.db, batch_id)

    def blocks(self, batch_id: int, cursor: str) -> Iterator[list[Row]]:
        """Yield the rows of a batch in blocks."""
        size = self.block_rows or ALL_ROWS
        rows = api.open_cursor(self.db, batch_id, cursor, size, self.where)
        while rows:
            last = len(rows) < size
            size = _next_size(size, self.block_rows, rows)
            yield rows
            if len(self._retries) > MAX_PENDING_RETRIES:
                self._send_retries(batch_id)
            if last:
                return
            rows = api.fetch(self.db, cursor, size)

    def put_off(self, event: Event, seconds: int) -> None:
        """Deliver an event of the open batch again later; takes effect with finish()."""
        if self._batch is None:
            raise UsageError(f"event {event.id}: its batch is finished, it cannot be retried")
        if self.ordered:
            raise UsageError(f"event {event.id} cannot be retried: order would be lost")
        self._retries[event.id] = int(seconds)
        self._batch.retried += 1

    def give_up(self, batch: Batch, event: Event, reason: str) -> None:
        """Take an event at fault out of the batch; finish() decides between retry and death."""
        if self._retries.pop(event.id, None) is not None:
            batch.retried -= 1
        self._faults[event.id] = reason[:REASON_CHARS]
        batch.faults += 1

    @property
    def put_off_ids(self) -> tuple[list[int], list[int]]:
        """Ids of the events of the open batch (to retry, at fault) that finish() will send."""
        return list(self._retries), list(self._faults)

    def finish(self, batch: Batch) -> None:
        """Close the batch and commit; retried events go to the retry queue.

        Raises SkytoolsError, with nothing committed, when events were left unread or when
        somebody else has closed the batch.
        """
        batch.require_read()
        self._send_retries(batch.id)
        self._send_faults(batch.id)
        if not self.close(batch.id):
            raise SkytoolsError(
                f"queue {self.queue}: batch {batch.id} was closed by somebody else;"
                f" is there another process of consumer {self.consumer}?"
            )
        self.db.commit()
        self._batch = None

    def _send_retries(self, batch_id: int) -> None:
        if self._retries:
            api.retry_events(self.db, batch_id, self._retries.items())
            self._retries.clear()

    def _send_faults(self, batch_id: int) -> None:
        if self._faults:
            self.fates = api.fail_events(self.db, batch_id, self._faults, self.limits)
            self._faults.clear()


def _next_size(size: int, configured: int, rows: list[Row]) -> int:
    """Return the rows of the next block: twice as many, unless that makes it large in bytes."""
    if not configured:
        return size
    sample = rows[:: max(1, len(rows) // SAMPLE_ROWS)]
    mean = sum(len(value) for row in sample for value in row[4:] if value) / len(sample) + 100
    fitting = min(size * 2, int(BLOCK_BYTES / mean), MAX_BLOCK_ROWS)
    return max(configured, fitting)
