# SPDX-License-Identifier: ISC
"""When to look at which queue of one database. Pure decisions: no I/O, time comes as argument.

A queue is awake or asleep. Awake: looked at every few ms, producers stay silent. Asleep: its
flag in the database asks the next producer for a notification, and it is looked at only for its
idle tick.

No event is missed. Whoever goes to sleep sets the flag first and looks again afterwards
(pgq.ticker_sleep), while a producer takes its event number first and reads the flag afterwards.
Flag and number are sequences, visible at once to everybody; so either the second look sees the
number or the producer sees the flag. What a lost connection swallows is found by the full round
that begins every session. Those who write events without reading the flag (COPY into the event
table, two-phase commit) are found by a glance at the numbers of all queues every look_period,
which also tells of new and dropped queues; a full round follows only when they have changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from skytools.core.backoff import Backoff

# A tick may come this often: the default of queue_ticker_max_lag.
POLL = 0.010
# Just after events more are likely; the sooner they are seen, the sooner they may be ticked.
EAGER_POLL = 0.005
EAGER_FOR = 0.05
# Never further ahead while awake: ticker_max_count may be reached before max_lag ends.
AWAKE_MAX = 1.0
# An uncommitted producer, or another ticker at the same queue, is looked at less and less often.
OPEN_MAX = 0.1
# Full rounds are never nearer together, whatever is announced.
ROUND_MIN = 1.0
# Glances that find nothing become that much rarer.
GLANCE_SLOWER = 4
# A glance that stumbled over a locked queue has cost the others a lock timeout.
GLANCE_AFTER_FAILURE = 30.0
# Queues due within this time are taken into the same statement, and stay together from then on.
SLACK = 0.001


def aligned(now: float, period: float) -> float:
    """Return when a periodic task is due next: at a multiple of its period.

    So that what all databases do seldom is done together: code and data are then in the
    processor's caches, which halves the cost of an idle ticker.
    """
    return (math.floor(now / period) + 1) * period


def _idle_tick(now: float, after: float) -> float:
    """Return when to make an idle tick that is due in `after` seconds: with those of the others."""
    return aligned(now + after, min(1.0, max(after / 20, POLL))) if after < math.inf else math.inf


class State(StrEnum):
    """What pgq.ticker_round says of a queue."""

    TICKED = "ticked"
    WAITING = "waiting"
    OPEN = "open"
    IDLE = "idle"
    BUSY = "busy"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Look:
    """One row of pgq.ticker_round; `next_check` in seconds."""

    queue_id: int
    queue_name: str
    tick_id: int | None
    state: str
    next_check: float | None
    error: str | None


@dataclass(slots=True)
class Queue:
    """What is remembered of a queue between two looks."""

    id: int
    name: str
    next_look: float
    asleep: bool = False
    flag_known: bool = False
    quiet_since: float | None = None
    idle_tick: float = math.inf
    open_wait: float = POLL
    error: str = ""
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2, cap=30.0))

    def quiet(self, now: float) -> float:
        """Note that there is nothing new; returns how long to wait while awake."""
        if self.quiet_since is None:
            self.quiet_since = now
        return EAGER_POLL if now - self.quiet_since < EAGER_FOR else POLL


@dataclass(frozen=True, slots=True)
class Due:
    """What to look at now: every queue, or these; neither means nothing."""

    everything: bool
    ids: Sequence[int]

    def __bool__(self) -> bool:
        return self.everything or bool(self.ids)


class Schedule:
    """The queues of one database and when each is due."""

    def __init__(self, *, sleep_after: float, look_period: float) -> None:
        self.sleep_after = sleep_after
        self.look_period = look_period
        self.queues: dict[int, Queue] = {}
        self._next_round = -math.inf
        self._last_round = -math.inf
        self._next_glance = math.inf
        self._glance_every = look_period
        self._strangers: set[int] = set()

    def round_soon(self) -> None:
        """Look at every queue soon: something unknown was announced."""
        self._next_round = min(self._next_round, self._last_round + ROUND_MIN)

    def due(self, now: float) -> Due:
        """Return what must be looked at now."""
        if self._next_round <= now:
            return Due(True, ())
        soon = [q.id for q in self.queues.values() if q.next_look <= now + SLACK]
        return Due(False, [*soon, *self._strangers])

    def next_at(self) -> float:
        """Return when something becomes due, if nothing is announced before."""
        if self._strangers:
            return -math.inf
        looks = (q.next_look for q in self.queues.values())
        return min(self._next_round, self._next_glance, min(looks, default=math.inf))

    def glance_due(self, now: float) -> bool:
        """Tell whether to glance at the numbers of all queues."""
        return self._next_glance <= now

    def glanced(self, known: Iterable[int], stirring: Iterable[int], now: float) -> list[int]:
        """Note which queues there are and which have events; returns whose flag to set awake."""
        wake = [i for i in stirring if i in self.queues and self._sleeps(i) and self.woken(i, now)]
        changed = set(known) != self.queues.keys()
        if changed:
            self.round_soon()
        if changed or wake:
            self._glance_every = self.look_period
        else:
            longest = self.look_period * GLANCE_SLOWER
            self._glance_every = min(self._glance_every * 2, longest)
        self._next_glance = aligned(now, self._glance_every)
        return wake

    def glance_failed(self, now: float) -> None:
        """Note that a queue is locked: find out which, and do not stumble over it again soon."""
        self._next_glance = now + max(self.look_period, GLANCE_AFTER_FAILURE)
        self.round_soon()

    def _sleeps(self, queue_id: int) -> bool:
        return self.queues[queue_id].asleep

    def saw(self, looks: Iterable[Look], due: Due, now: float) -> list[int]:
        """Take over what a look found; returns queues whose flag must be set awake.

        These are new ones, whose flag an earlier ticker may have left asleep, and those that are
        not ticked any more (paused), whose producers would notify in vain.
        """
        found = {look.queue_id: look for look in looks}
        self._strangers.clear()
        if due.everything:
            self._last_round, self._next_round = now, math.inf
            self._next_glance = aligned(now, self._glance_every)
            gone = self.queues.keys() - found.keys()
        else:
            gone = set(due.ids) - found.keys()
        for queue_id in gone:
            self.queues.pop(queue_id, None)
        wake = [*gone]
        for look in found.values():
            queue = self.queues.get(look.queue_id)
            if queue is None:
                queue = self.queues[look.queue_id] = Queue(look.queue_id, look.queue_name, now)
            queue.name = look.queue_name
            self._apply(queue, look, now)
            if not queue.flag_known and not queue.error:
                queue.flag_known = True
                wake.append(queue.id)
        return wake

    def _apply(self, queue: Queue, look: Look, now: float) -> None:
        after = math.inf if look.next_check is None else max(look.next_check, 0.0)
        if look.state == State.ERROR:
            queue.error = look.error or "unknown error"
            queue.quiet_since = None
            queue.next_look = now + queue.backoff.next()
            return
        if queue.error:
            queue.error = ""
            queue.backoff.reset()
        if look.state in (State.OPEN, State.BUSY):
            queue.quiet_since = None
            queue.next_look = now + queue.open_wait
            queue.open_wait = min(queue.open_wait * 2, OPEN_MAX)
            return
        queue.open_wait = POLL
        queue.idle_tick = _idle_tick(now, after)
        if look.state == State.IDLE:
            queue.next_look = queue.idle_tick if queue.asleep else now + queue.quiet(now)
            return
        queue.quiet_since = None
        queue.next_look = now + (POLL if look.next_check is None else min(after, AWAKE_MAX))

    def tired(self, now: float) -> list[int]:
        """Return awake queues that had no event for long enough to be put to sleep."""
        return [
            q.id
            for q in self.queues.values()
            if not q.asleep and q.quiet_since is not None and now - q.quiet_since > self.sleep_after
        ]

    def slept(self, asked: Iterable[int], refused: Iterable[int], now: float) -> None:
        """Note the answer of pgq.ticker_sleep: `refused` have events and stay awake."""
        awake = set(refused)
        for queue_id in asked:
            queue = self.queues[queue_id]
            queue.quiet_since = None
            if queue_id in awake:
                queue.next_look = now
            else:
                queue.asleep = True
                queue.next_look = queue.idle_tick

    def woken(self, queue_id: int, now: float) -> bool:
        """Note that a producer announced an event; tells whether to set the flag awake.

        Not for a queue that cannot be ticked: its time comes by the clock. One that is unknown is
        new or paused, the next look tells.
        """
        queue = self.queues.get(queue_id)
        if queue is None:
            self._strangers.add(queue_id)
            return True
        queue.asleep = False
        queue.quiet_since = None
        queue.open_wait = POLL
        if queue.error:
            return False
        queue.next_look = now
        queue.flag_known = True
        return True

    def errors(self) -> dict[str, str]:
        """Return queue name -> error of the queues that cannot be ticked.

        Not at the first failure: somebody held a lock a little longer.
        """
        failing = (q for q in self.queues.values() if q.error and q.backoff.failures > 1)
        return {q.name: q.error for q in failing}
