# SPDX-License-Identifier: ISC
"""Builders of WAL files that look like a server's."""

from __future__ import annotations

from pathlib import Path

from skytools.walmgr.page import _LONG_HEADER, _SHORT_HEADER
from skytools.walmgr.wal import Segment

SYSTEM = 7012345678901234567
SIZE = 1 << 20
MAGIC = 0xD110
LONG = 0x0002
PAGE = 8192


def content(segment: Segment, *, system: int = SYSTEM, fill: bytes = b"x") -> bytes:
    """Return the bytes of a whole segment with a good first page header."""
    head = _LONG_HEADER.pack(
        MAGIC, LONG, segment.timeline, segment.start, 0, system, segment.size, PAGE
    )
    pages = [head + fill * (PAGE - len(head))]
    for at in range(PAGE, segment.size, PAGE):
        head = _SHORT_HEADER.pack(MAGIC, 0, segment.timeline, segment.start + at, 0)
        pages.append(head + fill * (PAGE - len(head)))
    return b"".join(pages)


def write(folder: Path, segment: Segment, suffix: str = "", **options: object) -> Path:
    """Write a segment's file and return its path."""
    path = folder / (segment.name + suffix)
    path.write_bytes(content(segment, **options))  # type: ignore[arg-type]
    return path
