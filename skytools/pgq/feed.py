# SPDX-License-Identifier: ISC
"""What one reader has read, for many workers: windows of a queue, parted by key, in memory.

A window is what lies between two successive ticks. Windows follow each other without a gap; the
oldest are dropped when the feed is full, and a worker that still wanted them reads for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from skytools.pgq.types import BatchInfo, Event

# Windows that wait are joined up to this many events of a worker: one commit for all of them.
PART_EVENTS = 2000
# With events older than this, commits count for more than the moment: workers wait up to LINGER
# for a part that is worth one. Seconds.
CATCHING_UP = 1.0
LINGER = 0.25


@dataclass(frozen=True, slots=True)
class Window:
    """Events between two ticks, one list for each worker; None: too many to be kept."""

    info: BatchInfo
    parts: Sequence[Sequence[Event]] | None
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one worker has to do: its events of some windows, all up to `info.tick`."""

    info: BatchInfo
    events: Sequence[Event]


class LeftBehind(Exception):  # noqa: N818  # says where the worker is, which is no error
    """The window that a worker wants is not in the feed: any more, or for its size."""


class Feed:
    """Shared by the reading thread (add) and the workers' threads (take).

    `capacity` is in events. A worker that holds up the others for `patience` seconds is left
    behind.
    """

    def __init__(self, workers: int, capacity: int, patience: float = 1.0) -> None:
        self.capacity = capacity
        self._patience = patience
        lock = threading.Lock()
        self._more = threading.Condition(lock)  # workers wait here for windows
        self._room = threading.Condition(lock)  # the reader waits here for workers
        # Each worker waits here, while it catches up, until so many more events are there for it.
        self._much = [threading.Condition(lock) for _ in range(workers)]
        self._lack = [0] * workers
        self._enough = max(1, min(PART_EVENTS, capacity * 3 // (4 * workers)))
        # By the tick after which they begin, oldest first: each leads to the next.
        self._windows: dict[int, Window] = {}
        self._held = 0
        self._front = 0
        self._closed = False
        # The tick up to which each worker has done all, and whether it reads by itself.
        self._taken = [0] * workers
        self._alone = [False] * workers

    def begin(self, tick: int) -> None:
        """Start with a window that will begin at this tick."""
        with self._more:
            self._front = tick
            self._taken = [tick] * len(self._taken)

    def close(self) -> None:
        """Let everyone go who waits."""
        with self._more:
            self._closed = True
            for condition in (self._more, self._room, *self._much):
                condition.notify_all()

    def add(self, window: Window) -> None:
        """Append the next window, once; waits while most workers have no use for it yet."""
        with self._more:
            if window.info.tick.id <= self._front:
                return  # was added, but could not be finished
            self._make_room(window.size)
            self._windows[window.info.prev_tick.id] = window
            self._held += window.size
            self._front = window.info.tick.id
            self._more.notify_all()
            for worker, condition in enumerate(self._much):
                if self._lack[worker] > 0:
                    self._lack[worker] -= len(window.parts[worker]) if window.parts else PART_EVENTS
                    if self._lack[worker] <= 0:
                        condition.notify()

    def _make_room(self, size: int) -> None:
        deadline = time.monotonic() + self._patience
        while self._windows and self._full(size) and not self._closed:
            oldest = next(iter(self._windows.values()))
            if self._may_drop(oldest, late=time.monotonic() >= deadline):
                del self._windows[oldest.info.prev_tick.id]
                self._held -= oldest.size
            else:
                self._hurry()
                self._room.wait(self._patience)

    def _hurry(self) -> None:
        """Let workers go that wait for more: nothing more comes before they have made room."""
        for worker, condition in enumerate(self._much):
            if self._lack[worker] > 0:
                self._lack[worker] = 0
                condition.notify()

    def _may_drop(self, window: Window, *, late: bool) -> bool:
        """Most workers must be past it; for the rest one has patience, unless they are alone."""
        end = window.info.tick.id
        waiting = [number for number, tick in enumerate(self._taken) if tick < end]
        if len(waiting) * 2 > len(self._taken):
            return False
        if not late and not all(self._alone[number] for number in waiting):
            return False
        for number in waiting:
            self._alone[number] = True  # it will find that out; patience with it is over
        return True

    def _full(self, size: int) -> bool:
        return self._held + size > self.capacity or len(self._windows) >= self.capacity

    def leave(self, worker: int, tick: int) -> None:
        """Note that a worker reads by itself, and how far it is."""
        with self._more:
            self._alone[worker] = True
            self._taken[worker] = tick
            self._room.notify_all()

    def take(self, worker: int, tick: int, timeout: float) -> Part | None:
        """Return what the worker has to do after `tick`, which it has done.

        None: nothing came within `timeout` seconds. Small windows that wait are joined. Raises
        LeftBehind when it has to read the next one by itself.
        """
        with self._more:
            self._alone[worker] = False
            self._taken[worker] = tick
            self._room.notify_all()
            self._more.wait_for(lambda: tick < self._front or self._closed, timeout)
            self._linger(worker, tick)
            if tick >= self._front or self._closed:
                return None
            part = self._join(worker, tick)
            if part is None:
                self._alone[worker] = True
                raise LeftBehind
            return part

    def _linger(self, worker: int, tick: int) -> None:
        """Wait for a part that is worth a commit, when what is there is old anyway."""
        window = self._windows.get(tick)
        part = self._join(worker, tick)
        if window is None or part is None:
            return
        age = (datetime.now(UTC) - window.info.tick.time).total_seconds()
        if age > CATCHING_UP and len(part.events) < self._enough:
            self._lack[worker] = self._enough - len(part.events)
            self._much[worker].wait_for(lambda: self._closed or self._lack[worker] <= 0, LINGER)
            self._lack[worker] = 0

    def _join(self, worker: int, tick: int) -> Part | None:
        """Return the windows after `tick` as one part of about PART_EVENTS; None: not there."""
        begin = last = self._windows.get(tick)
        if begin is None or last is None or begin.parts is None:
            return None
        events = list(begin.parts[worker])
        while (window := self._windows.get(last.info.tick.id)) and window.parts is not None:
            more = window.parts[worker]
            if events and len(events) + len(more) > PART_EVENTS:
                break
            events += more
            last = window
        return Part(BatchInfo(last.info.id, last.info.tick, begin.info.prev_tick), events)
