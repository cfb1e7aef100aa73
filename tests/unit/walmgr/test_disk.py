# SPDX-License-Identifier: ISC
"""When the disk will be full, with all that retention is going to remove."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from skytools.walmgr.disk import DAY, HORIZON, Outlook, full_after
from skytools.walmgr.retention import Candidate, Policy

WEEK = Outlook(free=300, archive=0, rate=10 / DAY, set_size=20, interval=DAY,
               policy=Policy(7 * DAY, 2))  # fmt: skip


def made(age: float) -> Candidate:
    return Candidate(f"set {age}", True, False, -age * DAY, int(-age * DAY))


def test_without_backups_wal_grows_for_ever() -> None:
    never = replace(WEEK, interval=0)
    assert full_after(never, [made(1)], {"set 1": 20}, 0) is None  # 300 / 10: the horizon
    assert full_after(replace(never, free=100), [made(1)], {}, 0) == 10 * DAY
    assert full_after(replace(never, free=100), [], {}, 0) == 10 * DAY
    assert full_after(replace(never, rate=0), [], {}, 0) is None


def test_what_retention_removes_is_counted() -> None:
    """A window of 7 days wants about 9 sets of 20 and 8 days of WAL: 240 more than there is now."""
    assert full_after(WEEK, [made(0)], {"set 0": 20}, 0) is None
    # 30 a day until something goes.
    soon = full_after(replace(WEEK, free=230), [made(0)], {"set 0": 20}, 0)
    assert soon is not None
    assert 7 * DAY <= soon <= 9 * DAY
    # It goes on for ever with nine there: one more has room until the oldest goes.
    old = [made(age) for age in range(9)]
    sizes = {one.name: 20.0 for one in old}
    full = replace(WEEK, archive=80, free=40)
    assert full_after(full, old, sizes, 0) is None


def test_a_set_must_have_room_before_an_old_one_goes() -> None:
    old = [made(age) for age in range(9)]
    sizes = {one.name: 20.0 for one in old}
    assert full_after(replace(WEEK, archive=80, free=29), old, sizes, 0) == DAY
    assert full_after(replace(WEEK, archive=80, free=5), old, sizes, 0) == DAY / 2


@given(st.floats(1, 1e4), st.floats(0, 100), st.floats(0, 100))
def test_more_room_is_never_full_sooner(free: float, rate: float, size: float) -> None:
    def after(free: float) -> float:
        outlook = replace(WEEK, free=free, rate=rate / DAY, set_size=size)
        found = full_after(outlook, [made(0)], {"set 0": size}, 0)
        assert found is None or 0 < found < HORIZON + DAY
        return HORIZON + DAY if found is None else found

    assert after(free) <= after(free * 2)
