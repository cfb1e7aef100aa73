# SPDX-License-Identifier: ISC
"""The page headers of WAL segments: enough to refuse what does not belong here.

The first one holds the cluster's identifier, the segment size and its own address, so a segment of
another cluster, under a wrong name or recycled is recognised; the others tell one with holes.
"""

from __future__ import annotations

import os
import struct

from skytools.walmgr.wal import BACKUP, HISTORY, SEGMENT, History, Segment, WalError, kind_of

# xlp_magic, xlp_info, xlp_tli, xlp_pageaddr, xlp_rem_len (and padding), then of a long header
# xlp_sysid, xlp_seg_size, xlp_xlog_blcksz; in the byte order of the machine.
_LONG_HEADER = struct.Struct("=HHIQI4xQII")
_IS_LONG = 0x0002
_MAGIC_HIGH_BYTE = 0xD1  # of every release since 9.5

_SHORT_HEADER = struct.Struct("=HHIQI4x")
_RECORD = struct.Struct("=IIQBB2xI")  # xl_tot_len, xl_xid, xl_prev, xl_info, xl_rmid, xl_crc
_SWITCH = 0x40  # xl_info of the record that ends a segment early; its resource manager is 0

HEADER_SIZE = _LONG_HEADER.size
MAX_TEXT = 1 << 20


class CutOffError(WalError):
    """A segment of which nothing was written from byte `end` on."""

    def __init__(self, text: str, end: int) -> None:
        super().__init__(text)
        self.end = end


class Header:
    """What a segment says of itself."""

    __slots__ = ("address", "magic", "page_size", "segment_size", "system_id", "timeline")

    def __init__(
        self, magic: int, timeline: int, address: int, system_id: int, segment_size: int,
        *, page_size: int,
    ) -> None:  # fmt: skip
        self.magic = magic
        self.timeline = timeline
        self.address = address
        self.system_id = system_id
        self.segment_size = segment_size
        self.page_size = page_size


def read_header(data: bytes) -> Header:
    """Decode the first bytes of a segment. Raises WalError when they are none."""
    if len(data) < HEADER_SIZE:
        raise WalError(f"has {len(data)} bytes, fewer than a page header")
    if not any(data[:HEADER_SIZE]):
        raise WalError("begins with zeros: never written")
    magic, info, timeline, address, _rem, system_id, size, page = _LONG_HEADER.unpack(
        data[:HEADER_SIZE]
    )
    if magic >> 8 != _MAGIC_HIGH_BYTE or not info & _IS_LONG:
        raise WalError("does not begin with a WAL page header")
    if page < 1024 or size % page:
        raise WalError(f"has pages of {page} bytes")
    return Header(magic, timeline, address, system_id, size, page_size=page)


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


def check_content(fd: int, name: str, system_id: int, *, whole: bool = True) -> Header | None:
    """Check a file against its name. Raises WalError, OSError.

    `system_id` 0: of any cluster. Not `whole`: the segment was not finished by its server.
    """
    kind = kind_of(name)
    try:
        if kind not in (HISTORY, BACKUP):
            header = check_segment(os.pread(fd, HEADER_SIZE, 0), os.fstat(fd).st_size, name)
            if system_id not in (0, header.system_id):
                raise WalError(f"is of another cluster: {header.system_id}, not {system_id}")
            if kind == SEGMENT and whole:
                check_pages(fd, header)
            return header
        text = os.pread(fd, MAX_TEXT, 0).decode("utf-8", "replace")
        if kind == HISTORY and not History.parse(int(name[:8], 16), text).switches:
            raise WalError("has no line of history")
        if kind == BACKUP and "START WAL LOCATION" not in text:
            raise WalError("does not say where its backup starts")
    except CutOffError as exc:
        raise CutOffError(f"{name}: {exc}", exc.end) from exc
    except WalError as exc:
        raise WalError(f"{name}: {exc}") from exc
    return None


def check_pages(fd: int, header: Header) -> None:
    """Check that every page of a whole segment has been written. Raises WalError.

    Pages of zeros may only follow the record by which a server ends a segment early.
    """
    size, page = header.segment_size, header.page_size
    end = size
    for at in range(page, size, page):
        data = os.pread(fd, _SHORT_HEADER.size, at)
        magic, _info, _timeline, address, _rest = _SHORT_HEADER.unpack(data)
        written = magic == header.magic and address == header.address + at
        if written and end < size:
            raise WalError(f"has zeros at byte {end}, and WAL after that")
        if not written and any(data):
            raise WalError(f"has a page at byte {at} that does not belong there")
        if not written:
            end = min(end, at)
    if end < size and not _ends_early(os.pread(fd, page, end - page)):
        raise CutOffError(f"is cut off: from byte {end} on there are zeros only", end)


def _ends_early(page: bytes) -> bool:
    """Whether the last record of a page is that of a switch to the next segment."""
    used = page.rstrip(b"\0")
    _magic, _info, _timeline, _address, rest = _SHORT_HEADER.unpack_from(used.ljust(24, b"\0"))
    end = (len(used) + 7) // 8 * 8
    if rest and end <= _SHORT_HEADER.size + 24:
        return True  # it began on the page before
    for start in (end - 24, end - 16):  # the checksum may end with zeros
        if start >= 24 and start + 24 <= len(page):
            total, _xid, _prev, info, manager, _crc = _RECORD.unpack_from(page, start)
            if (total, info & 0xF0, manager) == (24, _SWITCH, 0):
                return True
    return False
