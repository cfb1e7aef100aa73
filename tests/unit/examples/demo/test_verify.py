# SPDX-License-Identifier: ISC
"""The comparison of events, fed by hand."""

from __future__ import annotations

import pytest

from examples.demo import verify
from examples.demo.figures import percentile

EVENT = ("I:1", "public.pgbench_history", "hid=1", "then")


def judged(events: dict[int, tuple[str, ...]], rows: list[tuple[object, ...]]) -> verify.Verdict:
    verdict = verify.Verdict()
    verify._compare_events(verdict, events, rows)
    return verdict


def row(ev_id: int, event: tuple[str, ...] = EVENT) -> tuple[object, ...]:
    return (ev_id, *event, 77, "applied")


def test_equal() -> None:
    verdict = judged({1: EVENT, 2: EVENT}, [row(2), row(1)])
    assert verdict.good
    assert (verdict.produced, verdict.applied) == (2, 2)


def test_nothing_at_all_is_not_good() -> None:
    assert not judged({}, []).good


def test_lost() -> None:
    verdict = judged({1: EVENT, 2: EVENT}, [row(1)])
    assert not verdict.good
    assert (verdict.lost, verdict.applied) == (1, 1)
    assert verdict.examples == [f"event 2 is not in the ledger: {EVENT}"]


def test_doubled() -> None:
    verdict = judged({1: EVENT}, [row(1), row(1), row(1)])
    assert not verdict.good
    assert (verdict.doubled, verdict.applied) == (2, 1)


def test_altered() -> None:
    verdict = judged({1: EVENT}, [row(1, ("I:1", "public.pgbench_history", "hid=2", "then"))])
    assert not verdict.good
    assert verdict.altered == 1


def test_from_nowhere() -> None:
    verdict = judged({1: EVENT}, [row(1), row(9)])
    assert not verdict.good
    assert verdict.unknown == 1


def test_examples_are_few() -> None:
    verdict = judged(dict.fromkeys(range(1, 100), EVENT), [])
    assert verdict.lost == 99
    assert len(verdict.examples) == verify.EXAMPLES


def test_decode() -> None:
    assert verify.decode("id=7&t=a+b&u&v=%c3%a9%2f&w=") == {
        "id": "7",
        "t": "a b",
        "u": None,
        "v": "é/",
        "w": "",
    }


@pytest.mark.parametrize(
    ("values", "share", "result"),
    [
        ([], 0.5, None),
        ([3.0], 0.99, 3.0),
        ([4.0, 1.0, 2.0, 3.0], 0.5, 2.0),
        ([1.0, 2.0], 0.99, 2.0),
    ],
)
def test_percentile(values: list[float], share: float, result: float | None) -> None:
    assert percentile(values, share) == result
