# SPDX-License-Identifier: ISC
"""Back-off: grows, is capped, is spread."""

from __future__ import annotations

from skytools.core.backoff import Backoff


def test_doubles_up_to_the_cap_without_jitter():
    backoff = Backoff(first=1, cap=10, jitter=0)
    assert [backoff.next() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_starts_over_after_a_success():
    backoff = Backoff(jitter=0)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == 1


def test_jitter_stays_within_its_share():
    backoff = Backoff(first=8, cap=8, jitter=0.25)
    delays = {backoff.next() for _ in range(200)}
    assert 6 <= min(delays) < max(delays) <= 10
    assert len(delays) > 100


def test_never_overflows():
    backoff = Backoff(jitter=0)
    assert [backoff.next() for _ in range(5000)][-1] == 60
