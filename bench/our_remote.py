# SPDX-License-Identifier: ISC
"""The same consumer as peer_remote.py on our framework: exactly once, an insert per event."""

from __future__ import annotations

import resource
from pathlib import Path

from skytools.core.db import Database
from skytools.pgq import (
    Batch,
    Event,
    RemoteConsumerConfig,
    SerialConsumer,
    option,
    run,
    settings,
)


@settings
class BenchConfig(RemoteConsumerConfig):
    """Keys of the benchmark."""

    result: Path | None = option(None, "Where to write the peak of memory.")
    expect: int = option(1, "End after this many events.")


class OurRemote(SerialConsumer):
    """Writes each event by a statement of its own."""

    Config = BenchConfig
    service_name = "ours"
    cfg: BenchConfig
    seen = 0

    def process_event(self, event: Event, target: Database) -> None:
        """Insert the event."""
        target.send("insert into ledger (id, data) values (%s, %s)", (event.id, event.data))

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Count, and end when all have come."""
        super().process_batch(batch, target)
        self.seen += batch.events
        if self.seen >= self.cfg.expect:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert self.cfg.result is not None
            self.cfg.result.write_text(str(peak), encoding="utf-8")
            self.ctx.signals.stop = True


if __name__ == "__main__":
    run(OurRemote)
