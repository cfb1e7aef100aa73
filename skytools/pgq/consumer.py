# SPDX-License-Identifier: ISC
"""The consumer most users want: a handler for events or batches of one queue."""

from __future__ import annotations

from skytools.pgq.base import BaseConsumer
from skytools.pgq.batch import Batch
from skytools.pgq.types import Event


class Consumer(BaseConsumer):
    """Calls process_event for each event, or process_batch for each batch, of a queue.

    What the handler does through `self.db` is committed together with the end of the batch:
    exactly once. For work elsewhere it is at least once: a batch that fails, or that was not
    finished when the process died, comes again under the same id. The handler must not commit.
    """

    def process_event(self, event: Event) -> None:
        """Handle one event. An error fails the batch, which is tried again after a pause."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, batch: Batch) -> None:
        """Handle a batch: iterate over it. Override this to work on many events at once."""
        process = self.process_event
        for event in batch:
            process(event)

    def work(self, batch: Batch) -> None:
        """Handle a batch and commit it."""
        self.handle(batch, self.process_batch, self.db)
        batch.reader.finish(batch)
