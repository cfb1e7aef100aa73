# SPDX-License-Identifier: ISC
"""merge_state and snapshots: what is written is read back; who may take a table over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste.states import (
    CATCHING_UP,
    IN_COPY,
    MISSING,
    OK,
    Snapshot,
    Stage,
    State,
    do_sync,
    wanna_sync,
)

ticks = st.integers(min_value=0, max_value=2**62)
states = st.one_of(
    st.sampled_from([MISSING, IN_COPY, CATCHING_UP, OK]),
    st.builds(wanna_sync, ticks),
    st.builds(do_sync, ticks),
)
txids = st.integers(min_value=3, max_value=60)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    xmax = draw(txids)
    running = draw(st.frozensets(st.integers(min_value=3, max_value=xmax)))
    running = frozenset(x for x in running if x < xmax)
    return Snapshot(min(running, default=xmax), xmax, running)


@given(states)
def test_a_state_is_read_as_it_was_written(state: State) -> None:
    assert State.parse(state.text) == state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (None, MISSING),
        ("in-copy", IN_COPY),
        ("catching-up", CATCHING_UP),
        ("wanna-sync:17", wanna_sync(17)),
        ("do-sync:18", do_sync(18)),
        ("ok", OK),
        ("?", OK),
    ],
)
def test_what_3_x_wrote_is_read(text: str | None, state: State) -> None:
    assert State.parse(text) == state


@pytest.mark.parametrize(
    "text", ["", "OK", "ok:1", "wanna-sync", "wanna-sync:", "do-sync:x", "do-sync:-1", "in-copy:3",
             "wanna-sync:1:2", "do-sync: 4", "do-sync:04", "do-sync:1_0"]
)  # fmt: skip
def test_what_nobody_wrote_is_refused(text: str) -> None:
    with pytest.raises(SkytoolsError, match="unknown to this version"):
        State.parse(text)


@given(states, ticks)
def test_the_worker_takes_a_table_over_at_its_very_tick(state: State, done: int) -> None:
    seen = state.seen_from(done)
    if seen is OK:
        assert state in (OK, wanna_sync(done))
    if seen != state:
        assert state.stage is Stage.WANNA_SYNC
    if seen.stage is Stage.DO_SYNC and state.stage is Stage.WANNA_SYNC:
        assert seen.tick == done
        assert state.tick is not None
        assert state.tick < done


@given(snapshots())
def test_a_snapshot_is_read_as_it_was_written(one: Snapshot) -> None:
    assert Snapshot.parse(one.text) == one
    assert one.covers(one)


@given(snapshots(), snapshots())
def test_a_snapshot_covers_another_when_it_sees_all_that_the_other_does(
    one: Snapshot, other: Snapshot
) -> None:
    sees_all = all(one.sees(txid) for txid in range(1, 70) if other.sees(txid))
    # A snapshot that ends at a running transaction sees no more than one that ends before it.
    if one.covers(other):
        assert sees_all
    elif sees_all:
        assert other.xmax > one.xmax


@pytest.mark.parametrize("text", ["", "1:2", "a:b:", "1:2:x", "1:2:3:4"])
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(SkytoolsError, match="no snapshot"):
        Snapshot.parse(text)
