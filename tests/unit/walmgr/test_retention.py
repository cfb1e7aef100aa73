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


candidates = st.lists(
    st.builds(
        Candidate,
        st.uuids().map(str), st.booleans(), st.just(False), st.floats(-1e7, 0), st.integers(0, 99),
    ),
    max_size=8,
    unique_by=lambda one: one.name,
)  # fmt: skip


@given(candidates, st.floats(0, 1e7), st.integers(1, 5))
def test_never_fewer_complete_sets_than_asked(
    sets: list[Candidate], window: float, minimum: int
) -> None:
    names = set(kept(sets, Policy(window, minimum)))
    complete = [one for one in sets if one.complete]
    assert len([one for one in complete if one.name in names]) >= min(minimum, len(complete))
    floor = wal_floor(sets, names)
    assert (floor is None) == (not complete)
    assert all(one.start >= (floor or 0) for one in complete if one.name in names)
