# SPDX-License-Identifier: ISC
"""Whether the archive's disk will be full, and when: what retention will do is played through."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from skytools.walmgr.retention import Candidate, Policy, decide, wal_floor
from skytools.walmgr.sets import BackupSet
from skytools.walmgr.site import Site

HOUR, DAY = 3600.0, 86400.0
WINDOW = DAY  # what came in during it tells how fast WAL grows
SHORTEST = 6 * HOUR  # one burst into a new archive says little
HORIZON = 30 * DAY
MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Disk:
    """The archive's file system. Sizes in bytes, rates in bytes a second, times in seconds.

    `full_after` is None when it is not going to be full within the horizon.
    """

    free: int
    archive: int
    rate: float
    full_after: float | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the future is played through with: a set of `set_size` every `interval`; 0: never."""

    free: float
    archive: float
    rate: float
    set_size: float
    interval: float
    policy: Policy


def look_at_disk(site: Site, sets: Sequence[BackupSet], now: float) -> Disk:
    """Measure the archive and foretell. Raises OSError."""
    room = os.statvfs(site.cfg.completed)
    free = room.f_bavail * room.f_frsize
    files = _files(site.cfg.completed)
    recent = [one for one in files if now - one.st_mtime < WINDOW]
    age = max((now - one.st_mtime for one in recent), default=0.0)
    rate = sum(one.st_size for one in recent) / max(age, SHORTEST)
    archive = sum(one.st_size for one in files)
    complete = [one for one in sets if one.complete]
    # Sets on another disk fill that one.
    same = site.cfg.sets.parent.stat().st_dev == site.cfg.completed.stat().st_dev
    sizes = {one.name: float(one.size if same else 0) for one in complete}
    outlook = Outlook(
        free, archive, rate, sum(sizes.values()) / max(len(sizes), 1), _interval(site, complete),
        site.cfg.policy,
    )  # fmt: skip
    # Time is the position of WAL here: it grows evenly.
    candidates = [replace(one.candidate(), start=int(one.started)) for one in complete]
    return Disk(free, archive, rate, full_after(outlook, candidates, sizes, now))


def _files(folder: Path) -> list[os.stat_result]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a file on its way in, or removed just now
                if entry.is_file():
                    found.append(entry.stat())
    return found


def _interval(site: Site, complete: Sequence[BackupSet]) -> float:
    """Return how often sets are made: as the ini says, or as they have been."""
    if site.cfg.backup_interval:
        return site.cfg.backup_interval * HOUR
    if len(complete) < 2:
        return 0.0
    apart = [later.finished - one.finished for one, later in pairwise(complete)]
    return max(sum(apart) / len(apart), HOUR)


def full_after(
    outlook: Outlook, sets: Sequence[Candidate], sizes: Mapping[str, float], now: float
) -> float | None:
    """Return in how many seconds the disk is full; None: not within the horizon."""
    if not outlook.interval or not sets:
        after = outlook.free / outlook.rate if outlook.rate else HORIZON
        return after if after < HORIZON else None
    wal = {one.name for one in decide(sets, outlook.policy, now) if one.wal}
    floor = wal_floor(sets, wal) or 0
    state = _State(list(sets), dict(sizes), outlook.free, outlook.archive, floor)
    at, step = 0.0, outlook.interval
    while at < min(HORIZON, MAX_STEPS * step):
        if outlook.rate * step > state.free:
            return at + state.free / outlook.rate
        at += step
        if outlook.rate * step + outlook.set_size > state.free:
            return at
        state.backup(outlook, now + at)
    return None


@dataclass(slots=True)
class _State:
    """What is on the disk at a moment: sets and their sizes, bytes that are free, bytes of WAL.

    `floor` is the time from which on there is WAL.
    """

    sets: list[Candidate]
    sizes: dict[str, float]
    free: float
    wal: float
    floor: int

    def backup(self, outlook: Outlook, now: float) -> None:
        """Let an interval's WAL come in, then a set, then let retention remove what it would."""
        before = self.floor
        new = Candidate(f"set of {now:.0f}", True, False, now, int(now), own_wal=True)
        self.sets.append(new)
        self.sizes[new.name] = outlook.set_size
        decisions = decide(self.sets, outlook.policy, now)
        kept = {one.name for one in decisions if one.keep}
        removed = sum(self.sizes.pop(name) for name in self.sizes.keys() - kept)
        self.sets = [one for one in self.sets if one.name in kept]
        self.floor = wal_floor(self.sets, {one.name for one in decisions if one.wal}) or 0
        came = outlook.rate * outlook.interval
        went = min(outlook.rate * (self.floor - before), self.wal + came)
        self.wal += came - went
        self.free += went + removed - came - outlook.set_size
