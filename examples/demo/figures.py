# SPDX-License-Identifier: ISC
"""What the live view shows, read from both databases and from the manager."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from examples.demo import setup
from skytools.core.db import Database

WINDOW = 5.0  # seconds that rates and latencies look back
HISTORY = 60  # points of the sparklines

NEW_ROWS = """
    select pos, ev_id, ev_txid, applied_at from ledger where pos > %s order by pos
"""
# A transaction's number in an event is 64 bits wide, that of the commit log 32.
COMMIT_TIMES = """
    select x, pg_xact_commit_timestamp((x & 4294967295)::text::xid)
    from unnest(%s::int8[]) as x
"""
QUEUE = """
    select q.ev_new, c.pending_events, extract(epoch from c.lag)::float8,
        pgq.seq_getval(i.queue_event_seq)
    from pgq.get_queue_info(%(queue)s) q
    join pgq.queue i using (queue_name)
    join pgq.get_consumer_info(%(queue)s, %(consumer)s) c using (queue_name)
"""


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that `share` of all do not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def latencies(source: Database, rows: Sequence[tuple[int, datetime]]) -> list[float]:
    """Return seconds from the source's commit to the handler, for (txid, applied_at) each."""
    numbers = sorted({txid for txid, _ in rows})
    committed: dict[int, datetime | None] = dict(source.query(COMMIT_TIMES, [numbers]))
    pairs = [(at, committed[txid]) for txid, at in rows]
    return [(at - commit).total_seconds() for at, commit in pairs if commit is not None]


@dataclass(frozen=True)
class Figures:
    """One picture of the running demo. Durations are seconds, rates are events per second."""

    elapsed: float
    jobs: Sequence[dict[str, Any]] = ()
    produced: int = 0
    applied: int = 0
    behind: int | None = None
    lag: float | None = None
    produced_rate: float = 0.0
    applied_rate: float = 0.0
    p50: float | None = None
    p99: float | None = None
    worst: float | None = None
    p50_history: Sequence[float | None] = ()
    rate_history: Sequence[float | None] = ()

    @property
    def ready(self) -> int:
        """How many jobs have said that they work."""
        return sum(1 for job in self.jobs if job.get("ready"))

    @property
    def restarts(self) -> int:
        """Restarts of all jobs together."""
        return sum(int(job.get("restarts") or 0) for job in self.jobs)


@dataclass
class Probe:
    """Takes pictures; remembers what rates need."""

    source: Database
    target: Database
    started: float = field(default_factory=time.monotonic)
    _pos: int = 0
    _applied: int = 0
    _base: int = 0
    _recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=200_000))
    _counts: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=600))
    _p50s: deque[float | None] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _rates: deque[float | None] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _pointed: float = 0.0

    def begin(self) -> None:
        """Start the clock when the load starts."""
        self.started = self._pointed = time.monotonic()
        self.take([])

    def take(self, jobs: Sequence[dict[str, Any]]) -> Figures:
        """Read both databases. Raises TransientError when one does not answer."""
        new = self.target.query(NEW_ROWS, [self._pos])
        row = self.source.query_one(QUEUE, {"queue": setup.QUEUE, "consumer": setup.CONSUMER})
        now = time.monotonic()
        if new:
            self._pos = new[-1][0]
            self._applied += len(new)
            found = latencies(self.source, [(txid, at) for _, _, txid, at in new])
            self._recent.extend((now, seconds) for seconds in found)
        while self._recent and self._recent[0][0] < now - WINDOW:
            self._recent.popleft()
        fresh, pending, lag, last = row if row else (None, None, None, 0)
        self._counts.append((now, int(last), self._applied))
        produced_rate, applied_rate = self._rate()
        seconds = [seconds for _, seconds in self._recent]
        p50 = percentile(seconds, 0.50)
        if now - self._pointed >= 1.0:
            self._pointed = now
            self._p50s.append(p50)
            self._rates.append(applied_rate)
        behind = None if fresh is None else int(fresh) + int(pending)
        return Figures(
            elapsed=now - self.started,
            jobs=jobs,
            produced=int(last),
            applied=self._applied,
            behind=behind,
            lag=0.0 if behind == 0 else lag,
            produced_rate=produced_rate,
            applied_rate=applied_rate,
            p50=p50,
            p99=percentile(seconds, 0.99),
            worst=max(seconds, default=None),
            p50_history=tuple(self._p50s),
            rate_history=tuple(self._rates),
        )

    def _rate(self) -> tuple[float, float]:
        now, produced, applied = self._counts[-1]
        while len(self._counts) > 2 and self._counts[1][0] <= now - WINDOW:
            self._counts.popleft()
        then, produced_then, applied_then = self._counts[0]
        if now <= then:
            return 0.0, 0.0
        return (produced - produced_then) / (now - then), (applied - applied_then) / (now - then)
