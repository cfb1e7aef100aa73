# SPDX-License-Identifier: ISC
"""What is inside WAL files, as pg_waldump tells."""

from __future__ import annotations

import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skytools.walmgr.postgres import Programs
from skytools.walmgr.store import Archive
from skytools.walmgr.wal import PAGE, PAGE_HEADER, Segment, WalError, parse_lsn, record_end

_COMMIT = re.compile(r"desc: (?:COMMIT|ABORT)\S* (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC")
_LSN = re.compile(r"\blsn: ([0-9A-F]+/[0-9A-F]+)")
TIME = struct.Struct("=q")  # microseconds since 2000
TIME_AT = 26  # after the headers of the record and of its data
EPOCH = 946684800.0
_BETWEEN = re.compile(r"WAL statistics between (\S+) and ([0-9A-F]+/[0-9A-F]+)")
_RECORD = re.compile(r"len \(rec/tot\): +\d+/ *(\d+), .*\blsn: ([0-9A-F]+/[0-9A-F]+), ")
_SWITCH = re.compile(r"rmgr: XLOG .* desc: SWITCH")


def last_end(dump: Callable[..., str], size: int) -> int | None:
    """Return where the last whole record ends that pg_waldump reads, None when there is none.

    dump(*options) runs it; segments have `size` bytes.
    """
    found = _BETWEEN.search(dump("--stats"))
    if found:
        return parse_lsn(found[2])
    # Before PostgreSQL 15 statistics do not tell.
    for line in reversed(dump().splitlines()):
        if found := _RECORD.search(line):
            end = record_end(parse_lsn(found[2]), int(found[1]), size)
            return -(-end // size) * size if _SWITCH.search(line) else end
    return None


@dataclass(frozen=True, slots=True)
class Scanner:
    """Reads archived segments, and files elsewhere (`extra`: segment name -> file)."""

    programs: Programs
    archive: Archive
    extra: dict[str, Path]
    scratch: Path

    def last_commit(self, segments: Sequence[Segment]) -> float | None:
        """Return the time of the last transaction end in the segments, which are in order."""
        for segment in reversed(segments):
            lines = self._records(segment, "--rmgr=Transaction")
            times = [found[1] for line in lines if (found := _COMMIT.search(line))]
            if times:
                return datetime.fromisoformat(f"{times[-1]}+00:00").timestamp()
        return None

    def end_of_transaction(self, segments: Sequence[Segment], xid: int) -> int | None:
        """Return the position at which a transaction ended, None when it did not."""
        for segment in reversed(segments):
            lines = self._records(segment, "--rmgr=Transaction", f"--xid={xid}")
            found = [_position(line) for line in lines if _COMMIT.search(line)]
            if found:
                return found[-1]
        return None

    def restore_points(self, segment: Segment) -> list[tuple[int, str, float | None]]:
        """Return position, name and time of the restore points that begin in a segment."""
        with self._plain(segment) as path:
            lines = self._dump(path, "--rmgr=XLOG").splitlines()
            parts = (line.partition(" desc: RESTORE_POINT ") for line in lines)
            found = [(_position(before), name) for before, mark, name in parts if mark]
            return [(lsn, name, _time_of(path, lsn - segment.start)) for lsn, name in found]

    def valid_end(self, segment: Segment) -> int:
        """Return where the valid WAL of a segment ends, its start when there is none."""
        with self._plain(segment) as path:
            end = last_end(lambda *options: self._dump(path, *options), segment.size)
            return segment.start if end is None else end

    def _records(self, segment: Segment, *options: str) -> list[str]:
        """Return lines of records; an end in the middle of one is no error here."""
        with self._plain(segment) as path:
            return self._dump(path, *options).splitlines()

    def _dump(self, path: Path, *options: str) -> str:
        program = self.programs.path("pg_waldump")
        return self.programs.host.run([program, "-p", path.parent, *options, path.name]).out

    @contextmanager
    def _plain(self, segment: Segment) -> Iterator[Path]:
        """Give a segment in the clear, under its name. Raises WalError when it is nowhere."""
        found = self.archive.find(segment.name)
        if found is not None and found.codec == "none":
            yield Path(found.path)
            return
        folder = Path(tempfile.mkdtemp(prefix=".scan-", dir=self.scratch))
        try:
            path = folder / segment.name
            if found is not None:
                self.archive.extract(found, str(path))
            elif segment.name in self.extra:
                path.symlink_to(self.extra[segment.name])
            else:
                raise WalError(f"{segment.name} is neither in the archive nor elsewhere")
            yield path
        finally:
            shutil.rmtree(folder)


def _position(line: str) -> int:
    found = _LSN.search(line)
    return parse_lsn(found[1]) if found else 0


def _time_of(path: Path, offset: int) -> float | None:
    """Return the time in a restore point's record, None when the file ends before it."""
    record = b""
    with path.open("rb") as file:
        while len(record) < TIME_AT + TIME.size:
            file.seek(offset)
            page_end = (offset // PAGE + 1) * PAGE
            piece = file.read(page_end - offset)
            if not piece:
                return None
            record += piece
            offset = page_end + PAGE_HEADER
    (since,) = TIME.unpack_from(record, TIME_AT)
    return EPOCH + float(since) / 1e6
