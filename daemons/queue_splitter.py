# SPDX-License-Identifier: ISC
"""queue_splitter: carries each event of a queue into the queue that the event itself names."""

from __future__ import annotations

from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.program import main as run_main
from skytools.pgq import Batch, Event, RemoteConsumer, RemoteConsumerConfig
from skytools.pgq.producer import carry_events

# Events kept in memory before they are written.
BLOCK_EVENTS = 5000
FIELDS = ("id", "txid", "time", "type", "data", "extra1", "extra2", "extra3", "extra4", "retry")


@settings
class SplitterConfig(RemoteConsumerConfig):
    """Keys of queue_splitter."""

    queue_field: str = option(
        "extra1",
        "Field of the event that holds the name of the queue in dst_db.",
        choices=(*FIELDS, *(f"ev_{name}" for name in FIELDS)),
    )


class QueueSplitter(RemoteConsumer):
    """Type, data, extra fields and time of the events stay, their ids are new.

    An event that names no queue, or one that does not exist, fails the batch.
    """

    Config: ClassVar[type[DaemonConfig]] = SplitterConfig
    ordered = True
    service_name = "queue_splitter"
    description = "Carry each event of a queue into the queue of another database that it names."
    cfg: SplitterConfig

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Write the batch in blocks; the order within each queue is kept."""
        blocks: dict[str, list[Event]] = {}
        held = 0
        for event in batch:
            queue = getattr(event, self.cfg.queue_field)
            if queue is None or queue == "":
                raise SkytoolsError(f"event {event.id}: {self.cfg.queue_field} names no queue")
            blocks.setdefault(str(queue), []).append(event)
            held += 1
            if held >= BLOCK_EVENTS:
                self._write(blocks, target)
                held = 0
        self._write(blocks, target)

    def _write(self, blocks: dict[str, list[Event]], target: Database) -> None:
        for queue, events in blocks.items():
            carry_events(target, queue, events)
        blocks.clear()


def main() -> None:
    """Run queue_splitter as a program."""
    run_main(QueueSplitter)
