# SPDX-License-Identifier: ISC
"""Comparing a file with what the archive has."""

from __future__ import annotations

import os

from skytools.walmgr import codec
from skytools.walmgr.blocks import suppress
from skytools.walmgr.wal import HISTORY, SEGMENT, Segment, WalError, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from skytools.walmgr.store import Archive

PAGE = 8192  # where pages are larger, the last one is compared with its zeros: refused at worst


def same_content(one: int, other: int) -> bool:
    """Compare two files from their beginnings."""
    if os.fstat(one).st_size != os.fstat(other).st_size:
        return False
    at = 0
    while True:
        left, right = os.pread(one, codec.CHUNK, at), os.pread(other, codec.CHUNK, at)
        if left != right:
            return False
        if not left:
            return True
        at += len(left)


def holds_more(archive: Archive, fd: int, name: str, end: int) -> bool:
    """Whether what a file has before byte `end`, where zeros begin, is in the archive, durably.

    A standby that is killed while it receives the end of a timeline keeps such a segment and never
    looks at it again. Once it is a primary it archives that file: refused, it would be offered for
    ever, and nothing behind it would be archived. What it has may be in the segment itself, in its
    .partial, or in the one that begins a newer timeline. Raises OSError.
    """
    end += len(os.pread(fd, PAGE, end - PAGE).rstrip(b"\0")) - PAGE
    with suppress(WalError):
        for other, size in _others(archive, fd, name, end):
            with suppress(WalError):  # that one is damaged
                found = archive.find(other)
                if found is not None and _begins_alike(fd, found.path, found.codec, size):
                    return True
    return False


def _others(archive: Archive, fd: int, name: str, end: int) -> Iterator[tuple[str, int]]:
    """Yield name of a file and how many bytes of it must be the same."""
    yield name, end
    yield f"{name}.partial", end
    segment = Segment.parse(name, os.fstat(fd).st_size)
    known = archive.names()
    for newer in sorted(other for other in known if kind_of(other) == HISTORY):
        timeline = int(newer[:8], 16)
        for left, position in archive.history(timeline).switches:
            at = position - segment.start
            # What it has beyond the end of its timeline is in no other file.
            if left == segment.timeline and 0 < at < segment.size and end <= at:
                for other in known:
                    if kind_of(other) == SEGMENT and other[8:] == name[8:] and other > name:
                        yield other, end


def _begins_alike(fd: int, path: str, packed: str, size: int) -> bool:
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    plain = os.memfd_create("plain", os.MFD_CLOEXEC)
    try:
        codec.expand(packed, source, plain)
        for at in range(0, size, codec.CHUNK):
            length = min(codec.CHUNK, size - at)
            if os.pread(fd, length, at) != os.pread(plain, length, at):
                return False
        os.fsync(source)
    finally:
        os.close(plain)
        os.close(source)
    return size > 0
