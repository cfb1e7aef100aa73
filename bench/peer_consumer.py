# SPDX-License-Identifier: ISC
# Written for the pgq of Debian, not for ours.
# mypy: ignore-errors
"""A do-nothing consumer for python3-pgq 3.x, run by Debian's python; writes what it measured.

    peer_consumer.py INI      section [peer]: db, queue_name, result, expect

`result` gets one line per batch: events and seconds, then one latency (ms) per event when
`latency = 1`. Ends by itself after `expect` events.
"""

import sys
import time
from pathlib import Path

import pgq


class PeerConsumer(pgq.Consumer):
    """Measures its batches."""

    seen = 0

    def process_event(self, db, ev):
        """Do nothing, or note the time the event took."""
        if self.latency:
            self.times.append((time.time() - ev.ev_time.timestamp()) * 1000)

    def process_batch(self, db, batch_id, ev_list):
        """Time the walk through one batch."""
        self.latency = self.cf.getint("latency", 0)
        self.times = []
        start = time.perf_counter()
        count = 0
        for ev in ev_list:
            self.process_event(db, ev)
            count += 1
        elapsed = time.perf_counter() - start
        if count:
            with Path(self.cf.getfile("result")).open("a", encoding="utf-8") as out:
                out.write(f"{count} {elapsed:.6f} {' '.join(f'{t:.3f}' for t in self.times)}\n")
        self.seen += count
        if self.seen >= self.cf.getint("expect"):
            self.set_single_loop(1)


if __name__ == "__main__":
    PeerConsumer("peer", "db", sys.argv[1:]).start()
