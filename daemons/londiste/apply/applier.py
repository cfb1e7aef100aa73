# SPDX-License-Identifier: ISC
"""Applies changes to the tables of a database, slice by slice, in the caller's transaction.

Of each table the net effect of a slice is written by at most three statements (sink.py,
writer.py). Row by row, in their order, are written: tables with triggers that fire for
replication; changes that came as statements (sqltriga); slices for which sets have failed, such
as unique values that rows exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from skytools.core.db import Database
from skytools.daemons.londiste.apply import rowwise, target
from skytools.daemons.londiste.apply.sink import UPDATES, Sink
from skytools.daemons.londiste.apply.writer import Outcome, Writer
from skytools.pgq import Event

__all__ = ["Applier", "ApplyOptions"]

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How changes are applied: see the keys on_missing_row, apply_method, apply_slice_*."""

    on_missing: str = "log"
    by_row: bool = False
    slice_rows: int = 100000
    slice_bytes: int = 32 << 20


class Applier:
    """Collects changes and writes them.

    While it has anything in flight nobody else may use the database: call flush() first, or
    abandon() before a rollback.
    """

    def __init__(self, db: Database, options: ApplyOptions) -> None:
        self.db = db
        self.options = options
        self._writer = Writer(db, options.on_missing)
        self._sinks: dict[tuple[str, int], Sink] = {}
        self._rows = self._bytes = 0
        self._first = self._look = max(1, options.slice_rows // 4)
        self._calls: list[rowwise.Row] = []
        self._thread: ThreadPoolExecutor | None = None
        self._flight: Future[None] | None = None

    # changes

    def sink(self, dest: str, method: int = UPDATES) -> Sink:
        """Return what takes the changes of a table. Raises ApplyError when there is none."""
        found = self._sinks.get((dest, method))
        if found is None:
            self.settle()
            table = target.load(self.db, dest)
            found = Sink(self, table, method, by_row=self.options.by_row)
            self._sinks[dest, method] = found
        return found

    def change(self, dest: str, event: Event) -> None:
        """Apply an event to a table."""
        self.sink(dest).add(event)

    def took(self, size: int) -> None:
        """Note that a change of so many characters was handed over; writes when that is enough."""
        self._rows += 1
        self._bytes += size
        if self._rows >= self._look or self._bytes >= self.options.slice_bytes:
            self._consider()

    def _consider(self) -> None:
        """Write when the server waits for work, or when no more may be kept.

        While it is busy changes gather, so that more of them are of the same rows.
        """
        options = self.options
        full = self._rows >= options.slice_rows or self._bytes >= options.slice_bytes
        if full or self._flight is None or self._flight.done():
            self._launch()
        else:
            self._look = min(self._rows + options.slice_rows // 16 + 1, options.slice_rows)

    def call(self, statement: str, event_id: int) -> None:
        """Run a statement for an event, in the order of the events of all tables."""
        if self._rows > len(self._calls):
            self.flush()  # what came before is of tables
        self._calls.append(rowwise.Row(statement, event_id))

    def truncate(self, dest: str, event: Event) -> None:
        """Empty a table, in the order of the events.

        Tables that refer to it are emptied, too. RESTART IDENTITY when the event says so.
        """
        self.flush()
        table = target.load(self.db, dest)
        wishes = f"{event.data or ''} {event.extra2 or ''}".lower()
        restart = " restart identity" if "restart identity" in wishes else ""
        with rowwise.named(event.id):
            self.db.execute(f"truncate {table.quoted}{restart} cascade").close()
        self.outcome.applied["R"] += 1

    # writing

    @property
    def outcome(self) -> Outcome:
        """What was written so far; complete after flush()."""
        return self._writer.outcome

    def flush(self) -> None:
        """Write all changes, in the open transaction."""
        self.settle()
        for step in self._take():
            step()

    def settle(self) -> None:
        """Wait until nothing is in flight. Raises what went wrong there."""
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.result()

    def _launch(self) -> None:
        """Write what was collected while more is being collected."""
        self.settle()
        steps = self._take()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "apply")
        self._flight = self._thread.submit(_run, steps)

    def _take(self) -> list[Step]:
        self._rows = self._bytes = 0
        self._look = self._first
        steps: list[Step] = []
        if self._calls:
            steps.append(partial(self._writer.write_calls, self._calls))
            self._calls = []
        waiting = [sink for sink in self._sinks.values() if sink.waits]
        waiting.sort(key=lambda sink: sink.strict)
        works = [work for sink in waiting if (work := sink.take()) is not None]
        if works:
            steps.append(partial(self._writer.write_all, works))
        return steps + [step for sink in waiting for step in sink.write(self._writer)]

    # ends

    def batch_ends(self) -> Outcome:
        """Write all; the caller commits. Returns what was written since the last time."""
        self.flush()
        self._writer.transaction_ends()
        for sink in self._sinks.values():
            sink.batch_ends()
        outcome, self._writer.outcome = self._writer.outcome, Outcome()
        return outcome

    def abandon(self) -> None:
        """Forget all changes and all that is known of tables; the caller rolls back."""
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.exception()  # waits; what was wrong does not matter any more
        self._sinks.clear()
        self._calls.clear()
        self._rows = self._bytes = 0
        self._writer = Writer(self.db, self.options.on_missing)

    def forget(self, dest: str | None = None) -> None:
        """Have a table looked up anew, or all of them: their columns may have changed."""
        self.flush()
        for key in list(self._sinks):
            if dest is None or key[0] == dest:
                del self._sinks[key]

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


def _run(steps: list[Step]) -> None:
    for step in steps:
        step()
