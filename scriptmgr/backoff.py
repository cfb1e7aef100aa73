# SPDX-License-Identifier: ISC
"""When a job that has ended is started again, if at all."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum

from skytools.core.backoff import Backoff

EXIT_DONE = 0
# Usage or configuration: the same ini gives the same end, so wait for `update` or `start`.
EXIT_CONFIG = frozenset((2, 78))
# The daemon found a state that a restart cannot mend: wait for `start`.
EXIT_FATAL_STATE = 3


class Verdict(Enum):
    """What follows from an exit that nobody asked for."""

    RETRY = "retry"
    DONE = "done"
    CONFIG = "config"
    FATAL = "fatal"


def judge(status: int) -> Verdict:
    """Return what an exit status (negative: the signal) means for the job's future."""
    if status == EXIT_DONE:
        return Verdict.DONE
    if status in EXIT_CONFIG:
        return Verdict.CONFIG
    return Verdict.FATAL if status == EXIT_FATAL_STATE else Verdict.RETRY


def describe(status: int) -> str:
    """Return an exit status for people."""
    return f"killed by signal {-status}" if status < 0 else f"exit {status}"


@dataclass(frozen=True, slots=True)
class Limits:
    """The manager's back-off keys, in seconds."""

    first: float = 1.0
    cap: float = 60.0
    reset: float = 120.0


@dataclass(slots=True)
class RestartPolicy:
    """Counts the failures of one job."""

    limits: Limits
    max_restarts: int = 0
    rng: random.Random = field(default_factory=random.Random)
    _backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self._backoff = Backoff(first=self.limits.first, cap=self.limits.cap, rng=self.rng)

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._backoff.failures

    def failed(self) -> float | None:
        """Count a failure; returns the seconds to wait, None when the job has used up its tries."""
        delay = self._backoff.next()
        if self.max_restarts and self.failures > self.max_restarts:
            return None
        return delay

    def healthy_for(self, seconds: float) -> None:
        """Forget failures once the job has been ready for long enough."""
        if self.failures and seconds >= self.limits.reset:
            self._backoff.reset()

    def reset(self) -> None:
        """Forget failures: the operator says so."""
        self._backoff.reset()
