# SPDX-License-Identifier: ISC
"""Arithmetic of WAL: positions, segment names, timelines. Pure, and imports nothing.

PostgreSQL starts archive_command and restore_command for every segment, so this module and the
others they use (listed in pyproject.toml) keep to what the interpreter has loaded anyway.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_SEGMENT_SIZE = 16 << 20
MIN_SEGMENT_SIZE = 1 << 20
MAX_SEGMENT_SIZE = 1 << 30
MAX_LSN = (1 << 64) - 1
MAX_NAME = 64

SEGMENT = "segment"
PARTIAL = "partial"
HISTORY = "history"
BACKUP = "backup"

# Of bytes: a page, the header of each page, and that of a segment's first one.
PAGE, PAGE_HEADER, SEGMENT_HEADER = 8192, 24, 40
_ALIGNED = 8

_HEX = frozenset("0123456789ABCDEF")


class WalError(Exception):
    """A name, a position or a file is not what it should be; the text is for the user."""


def parse_lsn(text: str) -> int:
    """Return the byte position of "16/B374D848". Raises WalError."""
    high, slash, low = text.strip().upper().partition("/")
    if not slash or not _is_hex(high, 1, 8) or not _is_hex(low, 1, 8):
        raise WalError(f"{text!r} is no WAL position such as 16/B374D848")
    return int(high, 16) << 32 | int(low, 16)


def format_lsn(position: int) -> str:
    """Return a byte position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def record_end(start: int, length: int, size: int) -> int:
    """Return where a record of that many bytes ends, in segments of `size` bytes.

    As the server has it: up to where the next record may begin, page headers on the way included.
    """
    while length > (room := PAGE - start % PAGE):
        length -= room
        start += room
        start += PAGE_HEADER if start % size else SEGMENT_HEADER
    return start + (length + _ALIGNED - 1) // _ALIGNED * _ALIGNED


def is_segment_size(size: int) -> bool:
    """Tell whether a server may have segments of that many bytes."""
    return MIN_SEGMENT_SIZE <= size <= MAX_SEGMENT_SIZE and size & (size - 1) == 0


class Segment:
    """One WAL segment: a timeline, its running number, and the size all segments have."""

    __slots__ = ("number", "size", "timeline")

    def __init__(self, timeline: int, number: int, size: int = DEFAULT_SEGMENT_SIZE) -> None:
        self.timeline = timeline
        self.number = number
        self.size = size

    @classmethod
    def parse(cls, name: str, size: int = DEFAULT_SEGMENT_SIZE) -> Segment:
        """Return the segment of a file name; what follows the 24 digits is ignored.

        Raises WalError when the name is none, or cannot belong to segments of this size.
        """
        digits = name[:24]
        if not _is_hex(digits, 24, 24):
            raise WalError(f"{name!r} is no WAL segment name")
        if not is_segment_size(size):
            raise WalError(f"{size} bytes is no WAL segment size")
        timeline, high, low = (int(digits[i : i + 8], 16) for i in (0, 8, 16))
        if timeline == 0 or low >= (1 << 32) // size:
            raise WalError(f"{name!r} is no name of a segment of {size} bytes")
        return cls(timeline, high * ((1 << 32) // size) + low, size)

    @classmethod
    def at(cls, timeline: int, position: int, size: int = DEFAULT_SEGMENT_SIZE) -> Segment:
        """Return the segment that holds the byte at `position`."""
        return cls(timeline, position // size, size)

    @property
    def name(self) -> str:
        """The file name."""
        per_id = (1 << 32) // self.size
        return f"{self.timeline:08X}{self.number // per_id:08X}{self.number % per_id:08X}"

    @property
    def start(self) -> int:
        """Position of its first byte."""
        return self.number * self.size

    @property
    def end(self) -> int:
        """Position of the first byte after it."""
        return self.start + self.size

    def next(self) -> Segment:
        """Return the segment after it, on the same timeline."""
        return Segment(self.timeline, self.number + 1, self.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segment) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Segment({self.name}, {self.size})"

    def _key(self) -> tuple[int, int, int]:
        return (self.timeline, self.number, self.size)


def kind_of(name: str) -> str:
    """Return what an archived file is by its name. Raises WalError when PostgreSQL has none such.

    The name is also safe to use as a file name afterwards.
    """
    if len(name) <= MAX_NAME:
        if _is_hex(name, 24, 24):
            return SEGMENT
        if name.endswith(".history") and _is_hex(name[:-8], 8, 8):
            return HISTORY
        if name.endswith(".partial") and _is_hex(name[:-8], 24, 24):
            return PARTIAL
        segment, dot, offset = name.removesuffix(".backup").partition(".")
        if name.endswith(".backup") and dot and _is_hex(segment, 24, 24) and _is_hex(offset, 8, 8):
            return BACKUP
    raise WalError(f"{name!r} is no name of a WAL segment, .partial, .history or .backup file")


def _is_hex(text: str, shortest: int, longest: int) -> bool:
    return shortest <= len(text) <= longest and _HEX.issuperset(text)


class History:
    """The way of one timeline from the first one: where each ancestor was left.

    `switches` are (timeline, position at which it was left), oldest first.
    """

    __slots__ = ("switches", "timeline")

    def __init__(self, timeline: int, switches: Sequence[tuple[int, int]] = ()) -> None:
        self.timeline = timeline
        self.switches = tuple(switches)

    @classmethod
    def parse(cls, timeline: int, text: str) -> History:
        """Read the content of a .history file. Raises WalError."""
        switches = []
        for line in text.splitlines():
            words = line.split("#", 1)[0].split(None, 2)
            if not words:
                continue
            if len(words) < 2 or not words[0].isdecimal():
                raise WalError(f"history of timeline {timeline}: bad line {line!r}")
            switches.append((int(words[0]), parse_lsn(words[1])))
        history = cls(timeline, switches)
        history.require_order()
        return history

    def require_order(self) -> None:
        """Raise WalError unless timelines and positions only ever grow."""
        timelines = [timeline for timeline, _ in self.switches] + [self.timeline]
        if timelines != sorted(set(timelines)):
            raise WalError(f"history of timeline {self.timeline}: timelines go back")
        positions = [left for _, left in self.switches]
        if positions != sorted(positions):
            raise WalError(f"history of timeline {self.timeline}: positions go back")

    def ranges(self) -> list[tuple[int, int, int]]:
        """Return (timeline, from, until) of every part of the way, oldest first."""
        begin, out = 0, []
        for timeline, left in self.switches:
            out.append((timeline, begin, left))
            begin = left
        return [*out, (self.timeline, begin, MAX_LSN)]

    def segment_at(self, position: int, size: int) -> Segment:
        """Return the segment that recovery reads for `position`.

        The file of the newest timeline that begins in or before it: PostgreSQL copies the part
        before the switch into the new timeline's file.
        """
        number = position // size
        newest = self.switches[0][0] if self.switches else self.timeline
        for timeline, begin, _until in self.ranges():
            if begin // size <= number:
                newest = timeline
        return Segment(newest, number, size)

    def contains(self, timeline: int, position: int) -> bool:
        """Whether WAL of `timeline` up to `position` belongs to this way."""
        return any(tli == timeline and position <= until for tli, _, until in self.ranges())

    def segments(self, start: int, end: int, size: int) -> Iterator[Segment]:
        """Yield the segments that recovery reads from byte `start` up to, not including, `end`."""
        for number in range(start // size, max((end + size - 1) // size, start // size)):
            yield self.segment_at(number * size, size)
