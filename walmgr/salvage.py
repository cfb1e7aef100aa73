# SPDX-License-Identifier: ISC
"""Finding the furthest WAL that anybody still has, when the primary is gone.

Sources, for the segments after what the standby has: the archive, the primary's own pg_wal when
its disk can be reached, the receiver's unfinished segment. pg_waldump says how far they are valid.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skytools.walmgr.errors import ProgramError
from skytools.walmgr.files import locked
from skytools.walmgr.node import Node
from skytools.walmgr.page import HEADER_SIZE, check_segment
from skytools.walmgr.postgres import Programs
from skytools.walmgr.receiver import copy_file
from skytools.walmgr.remote import clean_environment
from skytools.walmgr.restore import FINAL, STOP
from skytools.walmgr.site import Site
from skytools.walmgr.wal import Segment, WalError, format_lsn, parse_lsn

_BETWEEN = re.compile(r"WAL statistics between (\S+) and ([0-9A-F]+/[0-9A-F]+)")
_LSN = re.compile(r"\blsn: ([0-9A-F]+/[0-9A-F]+)")

SCRATCH = ".salvage-"


@dataclass(frozen=True, slots=True)
class Position:
    """Where the standby is: its timeline, what it has, and how large segments are."""

    timeline: int
    received: int
    size: int

    @property
    def segment(self) -> Segment:
        """The segment that it is in."""
        return Segment.at(self.timeline, self.received, self.size)


class Salvage:
    """The segments from the standby's on, gathered in a scratch folder."""

    def __init__(self, site: Site, programs: Programs, at: Position) -> None:
        self.site = site
        self.programs = programs
        self.at = at
        self.folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=site.cfg.walmgr_data))
        self.sources: dict[str, str] = {}

    def close(self) -> None:
        """Remove the scratch folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def gather(self, dead: Node) -> None:
        """Bring together what there is; the primary's files when its host can be reached."""
        segment = self.at.segment
        theirs = self._listing(dead)
        while self._from_archive(segment) or self._from_primary(dead, segment, theirs) or (
            self._from_receiver(segment)
        ):  # fmt: skip
            segment = segment.next()

    def valid_end(self) -> int:
        """Return the furthest position up to which the gathered WAL is valid."""
        if not self.sources:
            return self.at.received
        begin = format_lsn(self.at.segment.start)
        words: list[str | Path] = [
            *(self.programs.path("pg_waldump"), "-p", self.folder, "-t", str(self.at.timeline)),
            *("-s", begin),
        ]
        found = _BETWEEN.search(self.programs.host.run([*words, "--stats"]).out)
        if found:
            return max(self.at.received, parse_lsn(found[2]))
        # Before PostgreSQL 15 only records are told: the start of the last one is certain.
        starts = _LSN.findall(self.programs.host.run(words).out)
        return max([self.at.received, *map(parse_lsn, starts[-1:])])

    @contextmanager
    def serve(self, end: int) -> Iterator[None]:
        """Give the standby what is up to `end` while the block runs.

        Whole segments by the archive, the unfinished last one by STOP, which counts only while
        this process lives: served later, it would replace what the standby received since.
        """
        stop = self.site.cfg.completed / STOP
        segment = self.at.segment
        with locked(stop, "another promotion"):
            while segment.start < end:
                self._give(segment, end)
                segment = segment.next()
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
            return set(dead.host.check(["ls", dead.data / "pg_wal"], timeout=30).split())
        except ProgramError as exc:
            self.site.say(f"nothing is salvaged from {dead.name}: {exc}")
            return set()

    def _from_archive(self, segment: Segment) -> bool:
        found = self.site.archive.find(segment.name)
        if found is None:
            return False
        self.site.archive.extract(found, str(self.folder / segment.name))
        self.sources[segment.name] = "archive"
        return True

    def _from_primary(self, dead: Node, segment: Segment, theirs: set[str]) -> bool:
        """Copy a segment of the dead primary; a recycled one shows by its header."""
        if segment.name not in theirs or dead.data is None:
            return False
        target = self.folder / segment.name
        source = dead.data / "pg_wal" / segment.name
        if dead.host.local:
            copy_file(source, target)
        else:
            with target.open("wb") as file:
                words = [*dead.host.ssh, "--", dead.host.name, f"cat '{source}'"]
                subprocess.run(words, stdout=file, check=False, env=clean_environment())
        return self._is_good(segment, target, dead.name)

    def _from_receiver(self, segment: Segment) -> bool:
        for name in (segment.name, f"{segment.name}.partial"):
            path = self.site.cfg.partials / name
            if path.is_file():
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


def sweep(site: Site) -> None:
    """Remove what a promotion that was killed has left; the caller holds the lock of promotions."""
    for path in site.cfg.walmgr_data.glob(f"{SCRATCH}*"):
        shutil.rmtree(path)
    for path in site.cfg.partials.glob(f"*{FINAL}"):
        path.unlink()
    (site.cfg.completed / STOP).unlink(missing_ok=True)
