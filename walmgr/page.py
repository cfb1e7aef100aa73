# SPDX-License-Identifier: ISC
"""The header of a WAL segment's first page: enough to refuse what does not belong here.

It holds the cluster's identifier, the segment size and its own address, so a segment of another
cluster, under a wrong name or recycled and not yet written again is recognised.
"""

from __future__ import annotations

import struct

from skytools.walmgr.wal import Segment, WalError

# xlp_magic, xlp_info, xlp_tli, xlp_pageaddr, xlp_rem_len (and padding), then of a long header
# xlp_sysid, xlp_seg_size, xlp_xlog_blcksz; in the byte order of the machine.
_LONG_HEADER = struct.Struct("=HHIQI4xQII")
_IS_LONG = 0x0002
_MAGIC_HIGH_BYTE = 0xD1  # of every release since 9.5

HEADER_SIZE = _LONG_HEADER.size


class Header:
    """What a segment says of itself."""

    __slots__ = ("address", "magic", "segment_size", "system_id", "timeline")

    def __init__(
        self, magic: int, timeline: int, address: int, system_id: int, segment_size: int
    ) -> None:
        self.magic = magic
        self.timeline = timeline
        self.address = address
        self.system_id = system_id
        self.segment_size = segment_size


def read_header(data: bytes) -> Header:
    """Decode the first bytes of a segment. Raises WalError when they are none."""
    if len(data) < HEADER_SIZE:
        raise WalError(f"has {len(data)} bytes, fewer than a page header")
    if not any(data[:HEADER_SIZE]):
        raise WalError("begins with zeros: never written")
    magic, info, timeline, address, _rem, system_id, size, _block = _LONG_HEADER.unpack(
        data[:HEADER_SIZE]
    )
    if magic >> 8 != _MAGIC_HIGH_BYTE or not info & _IS_LONG:
        raise WalError("does not begin with a WAL page header")
    return Header(magic, timeline, address, system_id, size)


def check_segment(data: bytes, file_size: int, name: str) -> Header:
    """Check the first bytes of a file against its size and name. Raises WalError.

    The timeline of the header may be an older one: the segment in which a timeline begins is a
    copy of its parent's up to the switch.
    """
    header = read_header(data)
    if header.segment_size != file_size:
        raise WalError(
            f"has {file_size} bytes, but the server's segments have {header.segment_size}"
        )
    segment = Segment.parse(name, header.segment_size)
    if header.address != segment.start:
        written = Segment.at(header.timeline, header.address, header.segment_size)
        raise WalError(f"holds the WAL of {written.name}: recycled or under a wrong name")
    if not 0 < header.timeline <= segment.timeline:
        raise WalError(f"is of timeline {header.timeline}, its name says {segment.timeline}")
    return header
