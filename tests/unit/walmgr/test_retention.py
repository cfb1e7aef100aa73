# SPDX-License-Identifier: ISC
"""Which sets stay: never fewer complete ones than asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.walmgr.retention import Candidate, Policy, decide, wal_floor

DAY = 86400.0


def made(name: str, age: float, **options: object) -> Candidate:
    facts = {"complete": True, "running": False, "finished": -age * DAY, "start": int(1000 - age)}
    return Candidate(name, **{**facts, **options})  # type: ignore[arg-type]


def kept(sets: list[Candidate], policy: Policy) -> list[str]:
    return [one.name for one in decide(sets, policy, 0.0) if one.keep]


def test_words_of_a_policy() -> None:
    assert Policy.parse("7 days, minimum 2") == Policy(7 * DAY, 2)
    assert Policy.parse("minimum 3") == Policy(0, 3)
    assert Policy.parse("1 week") == Policy(7 * DAY, 1)
    assert Policy.parse("", 4) == Policy(0, 4)
    assert Policy.parse("", 0) == Policy(0, 1)
    assert Policy.parse("") == Policy(0, 2)
    with pytest.raises(ValueError, match="'for ever' is neither like"):
        Policy.parse("for ever")


def test_a_count_keeps_the_newest_complete_ones() -> None:
    sets = [made("a", 4), made("b", 3), made("c", 2), made("broken", 1, complete=False)]
    assert kept(sets, Policy(0, 2)) == ["b", "c"]


def test_the_window_needs_the_set_before_it() -> None:
    """Recovery to any moment of the window starts from a set that ended before that moment."""
    sets = [made("a", 30), made("b", 9), made("c", 3), made("d", 1)]
    assert kept(sets, Policy(7 * DAY, 1)) == ["b", "c", "d"]


def test_the_only_complete_set_stays_however_old() -> None:
    sets = [made("a", 300), made("b", 2, complete=False), made("c", 1, complete=False)]
    assert kept(sets, Policy(DAY, 2)) == ["a"]


def test_marks_running_sets_and_parents_stay() -> None:
    sets = [
        made("full", 9), made("other", 8), made("child", 7, parent="full"), made("pinned", 6),
        made("grandchild", 1, parent="child"), made("now", 0, complete=False, running=True),
    ]  # fmt: skip
    sets[3] = made("pinned", 6, pinned=True)
    assert kept(sets, Policy(0, 1)) == ["full", "child", "pinned", "grandchild", "now"]


def test_the_newest_set_of_each_day_week_and_month_stays() -> None:
    """Time 0 is 1 January 1970, a Thursday: the month before begins at age 31."""
    sets = [made(f"{age:g}", age) for age in (70, 40, 35, 12, 6, 5, 2, 1.5, 1.2, 0.5)]
    assert kept(sets, Policy(0, 1)) == ["0.5"]
    assert kept(sets, Policy(0, 1, daily=3)) == ["5", "1.2", "0.5"]
    # Monday is day 3: 6 to 3.5 days ago are of the week before.
    assert kept(sets, Policy(0, 1, weekly=2)) == ["5", "0.5"]
    assert kept(sets, Policy(0, 1, monthly=3)) == ["70", "35", "0.5"]
    assert kept(sets, Policy(0, 1, daily=1, monthly=9)) == ["70", "35", "0.5"]
    (why,) = [one.why for one in decide(sets, Policy(0, 1, monthly=3), 0.0) if one.name == "35"]
    assert why == "the newest of November 1969"


def test_wal_stays_for_what_recovery_must_reach_only() -> None:
    """A set of last year is there as it was at its end; a year of WAL is not."""
    sets = [
        made("month", 40, own_wal=True), made("bare", 35), made("day", 8, own_wal=True),
        made("new", 1, own_wal=True),
    ]  # fmt: skip
    policy = Policy(0, 1, monthly=9, daily=9)
    decisions = decide(sets, policy, 0.0)
    assert [one.keep for one in decisions] == [True] * 4
    assert [one.wal for one in decisions] == [False, True, False, True]
    sets[1] = made("bare", 35, complete=False)
    left = decide(sets, policy, 0.0)
    assert wal_floor(sets, [one.name for one in left if one.wal]) == sets[-1].start


candidates = st.lists(
    st.builds(
        Candidate,
        st.uuids().map(str), st.booleans(), st.just(False), st.floats(-1e7, 0), st.integers(0, 99),
    ),
    max_size=8,
    unique_by=lambda one: one.name,
)  # fmt: skip


periods = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))


@given(candidates, st.floats(0, 1e7), st.integers(1, 5), periods)
def test_never_fewer_complete_sets_than_asked(
    sets: list[Candidate], window: float, minimum: int, numbers: tuple[int, int, int]
) -> None:
    names = set(kept(sets, Policy(window, minimum, *numbers)))
    assert names >= set(kept(sets, Policy(window, minimum)))
    complete = [one for one in sets if one.complete]
    assert len([one for one in complete if one.name in names]) >= min(minimum, len(complete))
    floor = wal_floor(sets, names)
    assert (floor is None) == (not complete)
    assert all(one.start >= (floor or 0) for one in complete if one.name in names)
