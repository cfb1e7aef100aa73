# SPDX-License-Identifier: ISC
"""A batch that keeps failing is worked on event by event, so that the one at fault is found."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from skytools.core.cli import failure_of
from skytools.core.db import Database
from skytools.core.errors import FatalStateError, SkytoolsError, TransientError
from skytools.pgq.batch import Batch
from skytools.pgq.types import Event

log = logging.getLogger("skytools")

Handler = Callable[[Batch], None]


class Failures:
    """How often the batch at hand has failed through no fault of a connection."""

    def __init__(self) -> None:
        self._ticks = (0, 0)
        self._count = 0

    def count(self, batch: Batch) -> int:
        """Return how often this batch has failed in the life of this process."""
        return self._count if self._ticks == _ticks(batch) else 0

    def add(self, batch: Batch) -> None:
        """Count one more failure of a batch; those of the batch before are forgotten."""
        self._count = self.count(batch) + 1
        self._ticks = _ticks(batch)


def _ticks(batch: Batch) -> tuple[int, int]:
    """Return what stays the same when a batch is opened again, or taken over by a sibling."""
    return batch.prev_tick.id, batch.tick.id


def one_by_one(
    batch: Batch, handler: Handler, databases: Sequence[Database], max_faults: int
) -> None:
    """Give each event of a batch to the handler as a batch of its own.

    What an event at fault has done in `databases` is undone to the savepoint before it, and the
    event is taken out of the batch. With `max_faults` 0 its error is raised instead. Raises
    SkytoolsError when more events than that are at fault: then they are not the cause.
    """
    for event in batch:
        exc = failure_of(partial(_one, batch, event, handler, databases))
        if exc is None:
            continue
        if not max_faults or isinstance(exc, (TransientError, FatalStateError)):
            raise exc
        _give_up(batch, event, exc, max_faults)


def _one(batch: Batch, event: Event, handler: Handler, databases: Sequence[Database]) -> None:
    with _savepoints(databases):
        handler(batch.of((event,)))


def _give_up(batch: Batch, event: Event, exc: Exception, max_faults: int) -> None:
    reason = f"{type(exc).__name__}: {exc}"
    if batch.faults >= max_faults:
        raise SkytoolsError(
            f"more than {max_faults} events of the batch fail, so the fault is elsewhere;"
            f" the last one: {reason}"
        ) from exc
    log.error("queue %s: event %d is at fault: %s", batch.queue, event.id, reason)
    batch.reader.give_up(batch, event, reason)


@contextlib.contextmanager
def _savepoints(databases: Sequence[Database]) -> Iterator[None]:
    inside = [database for database in databases if not database.autocommit]
    for database in inside:
        database.execute("savepoint skytools_event").close()
    try:
        yield
        for database in inside:
            database.flush()  # what the event has sent is its fault too
    except (TransientError, FatalStateError):
        raise
    except Exception:
        for database in inside:
            database.execute("rollback to savepoint skytools_event").close()
        raise
    for database in inside:
        database.execute("release savepoint skytools_event").close()
