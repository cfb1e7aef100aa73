# SPDX-License-Identifier: ISC
"""queue_mover: carries the events of a queue into a queue of another database, exactly once."""

from __future__ import annotations

from typing import ClassVar

from skytools.core.config import REQUIRED, DaemonConfig, option, settings
from skytools.core.db import Database
from skytools.core.program import main as run_main
from skytools.pgq import Batch, Event, RemoteConsumer, RemoteConsumerConfig
from skytools.pgq.producer import carry_events

# Events kept in memory before they are written.
BLOCK_EVENTS = 5000


@settings
class MoverConfig(RemoteConsumerConfig):
    """Keys of queue_mover."""

    dst_queue_name: str = option(
        REQUIRED, "Queue of dst_db that gets the events; it must exist.", example="orders_copy"
    )


class QueueMover(RemoteConsumer):
    """Type, data, extra fields and time of the events stay, their ids are new."""

    Config: ClassVar[type[DaemonConfig]] = MoverConfig
    ordered = True
    service_name = "queue_mover"
    description = "Carry the events of a queue into a queue of another database."
    cfg: MoverConfig

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Write the batch in blocks."""
        block: list[Event] = []
        for event in batch:
            block.append(event)
            if len(block) >= BLOCK_EVENTS:
                carry_events(target, self.cfg.dst_queue_name, block)
                block.clear()
        carry_events(target, self.cfg.dst_queue_name, block)


def main() -> None:
    """Run queue_mover as a program."""
    run_main(QueueMover)
