# SPDX-License-Identifier: ISC
"""How many rows the next block has."""

from __future__ import annotations

from skytools.pgq.batch import ALL_ROWS, BLOCK_BYTES, MAX_BLOCK_ROWS, _next_size


def rows(count: int, length: int) -> list[tuple[object, ...]]:
    return [(n, "time", 1, None, "t", "x" * length, None, None, None, None) for n in range(count)]


def test_blocks_of_small_events_grow_to_the_limit():
    size, sizes = 300, []
    for _ in range(5):
        size = _next_size(size, 300, rows(size, 100))
        sizes.append(size)
    assert sizes == [600, 1200, MAX_BLOCK_ROWS, MAX_BLOCK_ROWS, MAX_BLOCK_ROWS]


def test_blocks_of_large_events_do_not_grow():
    assert _next_size(300, 300, rows(300, 100_000)) == 300


def test_blocks_shrink_when_events_become_large():
    assert _next_size(2000, 10, rows(2000, 10_000)) == BLOCK_BYTES // 10_101


def test_a_large_configured_size_holds():
    assert _next_size(5000, 5000, rows(5000, 10)) == 5000


def test_the_whole_batch_at_once_stays_so():
    assert _next_size(ALL_ROWS, 0, rows(10, 10)) == ALL_ROWS
