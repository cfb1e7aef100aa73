# SPDX-License-Identifier: ISC
"""The same do-nothing consumer as peer_consumer.py, on our framework."""

from __future__ import annotations

import time
from pathlib import Path

from skytools.pgq import Batch, Consumer, ConsumerConfig, Event, option, run, settings


@settings
class BenchConfig(ConsumerConfig):
    """Keys of the benchmark."""

    result: Path | None = option(None, "Where to write what was measured.")
    expect: int = option(1, "End after this many events.")
    latency: bool = option(False, "Note the time of each event.")


class OurConsumer(Consumer):
    """Measures its batches."""

    Config = BenchConfig
    service_name = "ours"
    cfg: BenchConfig
    seen = 0

    def process_event(self, event: Event) -> None:
        """Do nothing, or note the time the event took."""
        if self.cfg.latency:
            self.times.append((time.time() - event.time.timestamp()) * 1000)

    def process_batch(self, batch: Batch) -> None:
        """Time the walk through one batch."""
        self.times: list[float] = []
        start = time.perf_counter()
        super().process_batch(batch)
        elapsed = time.perf_counter() - start
        if batch.events and self.cfg.result:
            times = " ".join(f"{t:.3f}" for t in self.times)
            with self.cfg.result.open("a", encoding="utf-8") as out:
                out.write(f"{batch.events} {elapsed:.6f} {times}\n")
        self.seen += batch.events
        if self.seen >= self.cfg.expect:
            self.ctx.signals.stop = True


if __name__ == "__main__":
    run(OurConsumer)
