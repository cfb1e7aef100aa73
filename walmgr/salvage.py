# SPDX-License-Identifier: ISC
"""Finding the furthest WAL that anybody still has, when the primary is gone.

Sources, for the segments after what the standby has: the archive, the primary's own pg_wal when
its disk can be reached, the receiver's unfinished segment. pg_waldump says how far they are valid.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.files import locked
from skytools.walmgr.node import Node
from skytools.walmgr.page import HEADER_SIZE, check_segment
from skytools.walmgr.postgres import Programs
from skytools.walmgr.receiver import copy_file
from skytools.walmgr.restore import FINAL, STOP
from skytools.walmgr.site import Site
from skytools.walmgr.wal import History, Segment, WalError, format_lsn, kind_of
from skytools.walmgr.walscan import last_end

SCRATCH = ".salvage-"


@dataclass(frozen=True, slots=True)
class Position:
    """How far the standby is, and how large segments are."""

    timeline: int
    received: int
    size: int


class Salvage:
    """The segments from the standby's on, gathered in a scratch folder.

    They are those of the newest timeline that anybody knows of: a standby that is behind by more
    than one promotion would otherwise branch off in the past.
    """

    def __init__(self, site: Site, programs: Programs, at: Position) -> None:
        self.site = site
        self.programs = programs
        self.at = at
        self.history = History(at.timeline)
        self.folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=site.cfg.home))
        self.sources: dict[str, str] = {}
        self._damaged: dict[str, str] = {}

    def close(self) -> None:
        """Remove the scratch folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def gather(self, dead: Node) -> None:
        """Bring together what there is; the primary's files when its host can be reached.

        Raises RefusedError when the standby is not on the way of the newest timeline, or when the
        archive's copy of a segment is damaged and nobody else has one.
        """
        theirs = self._listing(dead)
        self._choose_timeline(dead, theirs)
        # The standby may have the beginning of a record only: the end of the last whole one is in
        # the segment of the last byte, which itself has when nobody else does.
        number = max(self.at.received - 1, 0) // self.at.size
        if not self._gather_one(dead, segment := self._segment(number), theirs):
            own = self.site.follower
            self._from_server(own, segment, self._listing(own))
        number += 1
        while self._gather_one(dead, self._segment(number), theirs):
            number += 1
        self._require_undamaged()

    def _segment(self, number: int) -> Segment:
        return self.history.segment_at(number * self.at.size, self.at.size)

    def _gather_one(self, dead: Node, segment: Segment, theirs: set[str]) -> bool:
        return (
            self._from_archive(segment)
            or self._from_server(dead, segment, theirs)
            or self._from_receiver(segment)
            # The service has taken the receiver's file into the archive meanwhile.
            or self._from_archive(segment)
        )

    def _choose_timeline(self, dead: Node, theirs: set[str]) -> None:
        for name in sorted(n for n in theirs if n.endswith(".history")):
            if self.site.archive.find(name) is None:
                admit_from(self.site, dead, name, self.folder)
        names = [*self.site.archive.names(), *(p.name for p in self.site.cfg.partials.iterdir())]
        known = [int(name[:8], 16) for name in names if _is_wal(name)]
        self.history = self.site.archive.history(max([self.at.timeline, *known]))
        if not self.history.contains(self.at.timeline, self.at.received):
            raise RefusedError(
                f"the standby is on timeline {self.at.timeline} at {format_lsn(self.at.received)},"
                f" off the way of timeline {self.history.timeline}: `restore` makes it anew"
            )

    def require_reach(self, end: int) -> None:
        """Raise RefusedError unless `end` is on the newest timeline."""
        switches = self.history.switches
        if switches and end < switches[-1][1]:
            number = end // self.at.size
            raise RefusedError(
                f"timeline {self.history.timeline} began at {format_lsn(switches[-1][1])}, and WAL "
                f"is found up to {format_lsn(end)} only: {self._segment(number).name} is missing"
            )

    def valid_end(self) -> int:
        """Return the furthest end of a whole record in the gathered WAL.

        It may be before what the standby has received: nobody has the rest of its last record.
        """
        if not self.sources:
            return self.at.received
        # pg_waldump reads one timeline: for it the whole way gets the newest one's names.
        newest = self.history.timeline
        scan = self.folder / "scan"
        scan.mkdir()
        end = 0
        for name in self.sources:
            number = Segment.parse(name, self.at.size).number
            segment = Segment(newest, number, self.at.size)
            (scan / segment.name).symlink_to(self.folder / name)
            end = max(end, segment.end)
        begin = max(self.at.received - 1, 0) // self.at.size * self.at.size
        program = self.programs.path("pg_waldump")
        words: list[str | Path] = [program, "-p", scan, "-t", str(newest), "-s", format_lsn(begin)]
        # Without an end it waits 5 s for the next file when the last one is full.
        words += ["-e", format_lsn(end)]
        run = self.programs.host.run
        found = last_end(lambda *options: run([*words, *options]).out, self.at.size)
        return self.at.received if found is None else found

    @contextmanager
    def serve(self, end: int) -> Iterator[None]:
        """Give the standby what is up to `end` while the block runs.

        Whole segments by the archive, the unfinished last one by STOP, which counts only while
        this process lives: served later, it would replace what the standby received since.
        """
        stop = self.site.cfg.completed / STOP
        number = self.at.received // self.at.size
        with locked(stop, "another promotion"):
            while (segment := self._segment(number)).start < end:
                self._give(segment, end)
                number += 1
            try:
                yield
            finally:
                stop.unlink(missing_ok=True)
                for path in self.site.cfg.partials.glob(f"*{FINAL}"):
                    path.unlink()

    def _give(self, segment: Segment, end: int) -> None:
        path = self.folder / segment.name
        if segment.end > end:
            copy_file(path, self.site.cfg.partials / f"{segment.name}{FINAL}")
        elif self.sources.get(segment.name) != "archive":
            self.site.archive.admit(str(path), segment.name)

    def _listing(self, dead: Node) -> set[str]:
        if dead.data is None:
            return set()
        try:
            return set(dead.wal_names())
        except ProgramError as exc:
            self.site.say(f"nothing is salvaged from {dead.name}: {exc}")
            return set()

    def _from_archive(self, segment: Segment) -> bool:
        found = self.site.archive.find(segment.name)
        if found is None:
            return False
        try:
            self.site.archive.extract(found, str(self.folder / segment.name))
        except WalError as exc:
            self._damaged[segment.name] = str(exc)
            return False
        self.sources[segment.name] = "archive"
        return True

    def _require_undamaged(self) -> None:
        for name, why in self._damaged.items():
            told = f"damaged in the archive: {why}"
            if name not in self.sources:
                raise RefusedError(
                    f"{told}; nobody else has it, and what follows would be lost: move it away to "
                    "promote with what is before it"
                )
            self.site.say(f"{told}; that of {self.sources[name]} is taken")

    def _from_server(self, node: Node, segment: Segment, theirs: set[str]) -> bool:
        """Copy a segment of a server's own; a recycled one shows by its header."""
        if segment.name not in theirs:
            return False
        target = self.folder / segment.name
        node.fetch_wal(segment.name, target)
        return self._is_good(segment, target, node.name)

    def _from_receiver(self, segment: Segment) -> bool:
        for name in (segment.name, f"{segment.name}.partial"):
            path = self.site.cfg.partials / name
            with suppress(FileNotFoundError):
                copy_file(path, self.folder / segment.name)
                return self._is_good(segment, self.folder / segment.name, "receiver")
        return False

    def _is_good(self, segment: Segment, path: Path, source: str) -> bool:
        with suppress(WalError):
            with path.open("rb") as file:
                check_segment(file.read(HEADER_SIZE), path.stat().st_size, segment.name)
            self.sources[segment.name] = source
            return True
        path.unlink()
        return False


def admit_from(site: Site, node: Node, name: str, scratch: Path) -> None:
    """Bring a WAL file of a server into the archive. Raises WalError, ProgramError, OSError."""
    copy = scratch / f"admit-{name}"
    node.fetch_wal(name, copy)
    site.archive.admit(str(copy), name)
    copy.unlink()


def _is_wal(name: str) -> bool:
    with suppress(WalError):
        return bool(kind_of(name))
    return False


def sweep(site: Site) -> None:
    """Remove what a promotion that was killed has left; the caller holds the lock of promotions."""
    for path in site.cfg.home.glob(f"{SCRATCH}*"):
        shutil.rmtree(path)
    for path in site.cfg.partials.glob(f"*{FINAL}"):
        path.unlink()
    (site.cfg.completed / STOP).unlink(missing_ok=True)
