# SPDX-License-Identifier: ISC
"""Handlers of tables that are only a way into a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skytools.daemons.londiste.apply import Applier
from skytools.daemons.londiste.handlers.base import Handler
from skytools.pgq import Batch, Event
from skytools.pgq.producer import carry_events

# Events kept in memory before they are written.
BLOCK_EVENTS = 5000


class Qtable(Handler):
    """Rows that are inserted on the root go into the queue only, never into a table."""

    name = "qtable"
    needs_table: ClassVar[bool] = False

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for a trigger that keeps rows out of the table."""
        return [*args, "tgflags=BI", "SKIP", "expect_sync"]

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Leave the event: it was for other consumers of the queue."""

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Leave the event."""


class Qsplitter(Handler):
    """Events of the table go into another queue of this database."""

    name = "qsplitter"
    args: ClassVar[Mapping[str, str]] = {"queue": "name of that queue"}
    needs_table: ClassVar[bool] = False

    def check(self) -> None:
        """Look at the arguments."""
        self.queue = self.required("queue")
        self._held: list[Event] = []

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for no trigger and no copy."""
        return [*args, "virtual_table"]

    def prepare(self, batch: Batch, out: Applier) -> None:
        """Forget what a batch that failed has left."""
        self._held = []

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Keep the event."""
        self._held.append(event)
        if len(self._held) >= BLOCK_EVENTS:
            self.flush(batch, out)

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Keep the event, as all others."""
        self.process(event, batch, out)

    def flush(self, batch: Batch, out: Applier) -> None:
        """Write the events."""
        if self._held:
            out.settle()
            carry_events(out.db, self.queue, self._held)
            self._held = []
