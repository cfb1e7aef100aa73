# SPDX-License-Identifier: ISC
"""Named restore points that the WAL of the archive has.

What was found is kept in a file, as a segment in the archive never changes; the file can be made
again from the WAL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from skytools.walmgr.files import read_json, write_json
from skytools.walmgr.site import Site
from skytools.walmgr.wal import Segment
from skytools.walmgr.walscan import Scanner

LEDGER = "points.json"
RECORD = 104  # bytes of a restore point's record, aligned
RECORD_AND_PAGE = RECORD + 40  # the page may end inside of it
READERS = 2


@dataclass(frozen=True, slots=True)
class Point:
    """A restore point. `time` in seconds since 1970 by the server's clock, None when unknown."""

    name: str
    lsn: int
    timeline: int
    time: float | None = None

    def same_as(self, other: Point) -> bool:
        """Whether both are one: the server tells the record's end, the WAL its beginning."""
        near = abs(self.lsn - other.lsn) <= RECORD_AND_PAGE
        return near and (self.name, self.timeline) == (other.name, other.timeline)


class Ledger:
    """The points that are known, and the segments that have been read for them."""

    def __init__(self, site: Site) -> None:
        self._path = site.cfg.home / LEDGER
        self._archived = site.archive.names()
        facts = read_json(self._path)
        self.points = [Point(**one) for one in facts.get("points", ())]
        self._read = {name for name in facts.get("read", ()) if name in self._archived}

    def add(self, point: Point) -> None:
        """Add a point; what the WAL says of it replaces what the server has told."""
        self.points = [one for one in self.points if not point.same_as(one)] + [point]

    def forget(self, floor: int) -> None:
        """Leave out points before a position: nothing leads there any more."""
        kept = [one for one in self.points if one.lsn >= floor]
        if len(kept) < len(self.points):
            self.points = kept
            self.save()

    def unread(self, segments: Iterable[Segment]) -> list[Segment]:
        """Return those segments that have not been read."""
        return [segment for segment in segments if segment.name not in self._read]

    def ordered(self) -> list[Point]:
        """Return all points, in the order of WAL."""
        return sorted(self.points, key=lambda one: (one.lsn, one.timeline))

    def find(self, scanner: Scanner, segments: Sequence[Segment]) -> list[Point]:
        """Read the segments that have not been; returns all points inside of `segments`."""
        unread = self.unread(segments)
        with ThreadPoolExecutor(READERS) as pool:
            for segment, found in zip(
                unread, pool.map(scanner.restore_points, unread), strict=True
            ):
                for lsn, name, time in found:
                    self.add(Point(name, lsn, segment.timeline, time))
                if segment.name in self._archived:
                    self._read.add(segment.name)
        if unread:
            self.save()
        inside = {(segment.timeline, segment.number) for segment in segments}
        size = segments[0].size if segments else 1
        return [one for one in self.ordered() if (one.timeline, one.lsn // size) in inside]

    def save(self) -> None:
        """Write what is known."""
        facts = {"points": [asdict(one) for one in self.points], "read": sorted(self._read)}
        write_json(self._path, facts)
