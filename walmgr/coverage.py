# SPDX-License-Identifier: ISC
"""How far recovery can go: which positions and times can be reached from which set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from skytools.walmgr.sets import BackupSet
from skytools.walmgr.site import Site
from skytools.walmgr.wal import HISTORY, SEGMENT, History, Segment, WalError, format_lsn, kind_of
from skytools.walmgr.walscan import Scanner


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a set reaches on the way of one timeline.

    `tail` is the unfinished last segment that the receiver has, or the file that it completed.
    """

    one: BackupSet
    history: History
    segments: tuple[Segment, ...]
    end: int
    tail: Path | None = None

    def reaches(self, timeline: int, position: int) -> bool:
        """Whether recovery comes by a position of a timeline."""
        return self.one.stop <= position < self.end and self.history.contains(timeline, position)

    def describe(self, last: float | None) -> str:
        """Say it for people; `last` is the time of the last commit."""
        until = "no later transaction" if last is None else f"{when(last)}"
        return (
            f"set {self.one.name}, timeline {self.history.timeline}: "
            f"{when(self.one.finished)} ({format_lsn(self.one.stop)}) to "
            f"{until} ({format_lsn(self.end)})"
        )


def when(moment: float) -> str:
    """Return a time as people and PostgreSQL read it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(sep=" ", timespec="milliseconds")


def known_histories(site: Site) -> list[History]:
    """Return the histories of the timelines in the archive, newest first."""
    names = [n for n in site.archive.names() if kind_of(n) == HISTORY]
    found = [site.archive.history(int(name[:8], 16)) for name in sorted(names, reverse=True)]
    return [*found, History(1)]


def missing_history(names: Iterable[str], sets: Iterable[BackupSet]) -> str:
    """Return the history file without which the newest timeline is unknown; empty when none is.

    That of a timeline on which a set was made is not needed to go on from there.
    """
    known, newest = max((one.timeline for one in sets if one.complete), default=1), 1
    for name in names:
        timeline, kind = int(name[:8], 16), kind_of(name)
        newest = max(newest, timeline if kind in (SEGMENT, HISTORY) else 0)
        known = max(known, timeline if kind == HISTORY else 0)
    return f"{newest:08X}.history" if newest > known else ""


def coverages(site: Site, one: BackupSet) -> list[Coverage]:
    """Return how far a set reaches on each timeline that it is part of, newest first."""
    histories = [h for h in known_histories(site) if h.contains(one.timeline, one.stop)]
    if not any(h.timeline == one.timeline for h in histories):
        histories.append(History(one.timeline))
    names = site.archive.names()
    return [_coverage(site, one, history, names) for history in histories]


def _coverage(site: Site, one: BackupSet, history: History, names: Iterable[str]) -> Coverage:
    size, there = one.segment_size, set(names)
    segments: list[Segment] = []
    number = one.stop // size
    while (segment := history.segment_at(number * size, size)).name in there:
        segments.append(segment)
        number += 1
    end = max(one.stop, segments[-1].end if segments else 0)
    tail = find_tail(site, segment)
    if tail is None:
        return Coverage(one, history, tuple(segments), end)
    end = max(end, scanner(site, one, {segment.name: tail}).valid_end(segment))
    return Coverage(one, history, (*segments, segment), end, tail)


def find_tail(site: Site, segment: Segment) -> Path | None:
    """Return the receiver's file of a segment that the archive has not, None without one."""
    for name in (segment.name, f"{segment.name}.partial"):
        path = site.cfg.partials / name
        if path.is_file() and path.stat().st_size == segment.size:
            return path
    return None


def scanner(site: Site, one: BackupSet, extra: dict[str, Path] | None = None) -> Scanner:
    """Return what reads the WAL of a set's version."""
    programs = site.programs(one.version // 10000)
    return Scanner(programs, site.archive, extra or {}, site.cfg.home)


def scanner_of(site: Site, coverage: Coverage) -> Scanner:
    """Return what reads the WAL of a coverage, its tail too."""
    extra = {coverage.segments[-1].name: coverage.tail} if coverage.tail else {}
    return scanner(site, coverage.one, extra)


def last_commit(site: Site, coverage: Coverage) -> float | None:
    """Return the time of the last transaction end that can be reached."""
    return scanner_of(site, coverage).last_commit(coverage.segments)


def missing_segments(names: Iterable[str], size: int) -> list[str]:
    """Return what is missing between segments of the same timeline."""
    numbers: dict[int, list[int]] = {}
    for name in names:
        try:
            if kind_of(name) != SEGMENT:
                continue
            segment = Segment.parse(name, size)
        except WalError:
            continue
        numbers.setdefault(segment.timeline, []).append(segment.number)
    missing = []
    for timeline, found in sorted(numbers.items()):
        absent = set(range(min(found), max(found))) - set(found)
        missing += [Segment(timeline, number, size).name for number in sorted(absent)]
    return missing
