# SPDX-License-Identifier: ISC
"""Positions, names and timelines."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.walmgr import wal
from skytools.walmgr.wal import History, Segment, WalError

positions = st.integers(0, wal.MAX_LSN)
sizes = st.integers(20, 30).map(lambda bits: 1 << bits)
timelines = st.integers(1, 0xFFFFFFFF)


@given(positions)
def test_a_position_survives_its_text(position: int) -> None:
    assert wal.parse_lsn(wal.format_lsn(position)) == position


@pytest.mark.parametrize("text", ["", "/", "1", "0/", "/0", "0/G", "0/123456789", "-1/0", "0/+1"])
def test_a_bad_position_is_refused(text: str) -> None:
    with pytest.raises(WalError, match="no WAL position"):
        wal.parse_lsn(text)


@given(timelines, positions, sizes)
def test_a_segment_survives_its_name(timeline: int, position: int, size: int) -> None:
    segment = Segment.at(timeline, position, size)
    assert Segment.parse(segment.name, size) == segment
    assert segment.start <= position < segment.end
    assert wal.kind_of(segment.name) == wal.SEGMENT


@given(timelines, st.integers(0, (1 << 63)), sizes)
def test_the_next_name_sorts_after(timeline: int, position: int, size: int) -> None:
    segment = Segment.at(timeline, position, size)
    assert segment.next().name > segment.name
    assert segment.next().start == segment.end


def test_names_depend_on_the_segment_size() -> None:
    """256 segments of 16 MB, 64 of 64 MB in 4 GB: the name after xx...FF and xx...3F."""
    assert Segment.parse("0000000100000000000000FF").next().name == "000000010000000100000000"
    big = Segment.parse("00000001000000000000003F", 64 << 20)
    assert big.next().name == "000000010000000100000000"
    with pytest.raises(WalError, match="67108864"):
        Segment.parse("000000010000000000000040", 64 << 20)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("00000002000000000000000A", wal.SEGMENT),
        ("00000002000000000000000A.partial", wal.PARTIAL),
        ("00000002.history", wal.HISTORY),
        ("00000002000000000000000A.00000028.backup", wal.BACKUP),
    ],
)
def test_kinds_of_files(name: str, kind: str) -> None:
    assert wal.kind_of(name) == kind


@pytest.mark.parametrize(
    "name",
    [
        "", "..", "../000000020000000000000001", "00000002000000000000000a", "0000000.history",
        "00000002000000000000000A.gz", "00000002000000000000000A.partial.partial", "x" * 65,
        "00000002000000000000000A.28.backup", "00000002000000000000000A\n", ".backup",
    ],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(WalError, match="is no name"):
        wal.kind_of(name)


def three_deep() -> History:
    text = "1\t0/3000028\tno recovery target specified\n\n2\t0/5800000\tbefore 2026-11-22\n"
    return History.parse(3, text)


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        (0x3006AC0, 34, 0x3006AE8),  # a commit
        (0x3006000 - 64, 64, 0x3006000),  # up to the end of a page
        (0x3006000 - 64, 65, 0x3006000 + 24 + 8),
        (0x3006000 - 8, 8 + 8168 + 1, 0x3008000 + 24 + 8),  # over a page that holds nothing else
        (0x4000000 - 8, 34, 0x4000000 + 40 + 32),  # into the next segment
    ],
)
def test_where_a_record_ends(start: int, length: int, end: int) -> None:
    assert wal.record_end(start, length, 16 << 20) == end


def test_history_says_where_each_timeline_was_left() -> None:
    history = three_deep()
    assert history.switches == ((1, 0x3000028), (2, 0x5800000))
    assert history.contains(1, 0x3000028)
    assert not history.contains(1, 0x3000029)
    assert history.contains(3, 0x9000000)
    assert not history.contains(4, 0)


def test_a_segment_with_a_switch_is_read_from_the_newer_timeline() -> None:
    names = [s.name for s in three_deep().segments(0x2000000, 0x7000000, 16 << 20)]
    assert [(name[:8], name[-2:]) for name in names] == [
        ("00000001", "02"), ("00000002", "03"), ("00000002", "04"), ("00000003", "05"),
        ("00000003", "06"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["x 0/1 why\n", "1\n", "1 01 why\n", "3 0/1 why\n", "1 0/5 a\n2 0/4 b\n"]
)
def test_a_bad_history_is_refused(text: str) -> None:
    with pytest.raises(WalError):
        History.parse(3, text)


@given(st.lists(st.integers(0, 1 << 40), max_size=6), st.integers(0, 1 << 40), sizes)
def test_the_way_covers_every_byte_once(left: list[int], start: int, size: int) -> None:
    history = History(len(left) + 1, list(enumerate(sorted(left), 1)))
    segments = list(history.segments(start, start + 5 * size, size))
    assert segments[0].start <= start
    for before, after in itertools.pairwise(segments):
        assert before.number + 1 == after.number
        assert before.timeline <= after.timeline
    assert segments[-1].end >= start + 5 * size
