# SPDX-License-Identifier: ISC
from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.scriptmgr.backoff import Limits, RestartPolicy, Verdict, describe, judge


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0, Verdict.DONE),
        (1, Verdict.RETRY),
        (75, Verdict.RETRY),
        (2, Verdict.CONFIG),
        (78, Verdict.CONFIG),
        (3, Verdict.FATAL),
        (127, Verdict.RETRY),
        (-9, Verdict.RETRY),
        (-15, Verdict.RETRY),
    ],
)
def test_verdicts(status: int, verdict: Verdict) -> None:
    assert judge(status) is verdict


def test_descriptions() -> None:
    assert describe(7) == "exit 7"
    assert describe(-9) == "killed by signal 9"


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_waits_double_up_to_the_cap_within_a_fifth(seed: int, failures: int) -> None:
    policy = RestartPolicy(Limits(first=1.0, cap=60.0), rng=random.Random(seed))
    for number in range(failures):
        plain = min(2.0**number, 60.0)
        delay = policy.failed()
        assert delay is not None
        assert 0.8 * plain <= delay <= 1.2 * plain
    assert policy.failures == failures


def test_failures_are_forgotten_after_a_healthy_time_only() -> None:
    policy = RestartPolicy(Limits(first=1.0, cap=60.0, reset=120.0))
    for _ in range(5):
        policy.failed()
    policy.healthy_for(119.9)
    assert policy.failures == 5
    policy.healthy_for(120.0)
    assert policy.failures == 0


def test_never_gives_up_by_default() -> None:
    policy = RestartPolicy(Limits())
    assert all(policy.failed() is not None for _ in range(10_000))


def test_max_restarts() -> None:
    policy = RestartPolicy(Limits(), max_restarts=2)
    assert policy.failed() is not None
    assert policy.failed() is not None
    assert policy.failed() is None
    policy.reset()
    assert policy.failed() is not None
