# SPDX-License-Identifier: ISC
"""Deadline of a job's next sign of life."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

ABORT_GRACE = 10.0  # seconds for writing stacks or a core after SIGABRT


class Bite(Enum):
    """What to do with a job that has gone silent."""

    NONE = "none"
    ABORT = "abort"
    KILL = "kill"


@dataclass(slots=True)
class Watchdog:
    """Watches one process from its first READY=1 or WATCHDOG=1 on; `limit` 0 watches nothing."""

    limit: float
    _deadline: float | None = None
    _kill_at: float | None = None

    def ping(self, now: float) -> None:
        """Note a sign of life."""
        if self.limit > 0 and self._kill_at is None:
            self._deadline = max(now + self.limit, self._deadline or 0.0)

    def extend(self, now: float, seconds: float) -> None:
        """Note that the next sign may take `seconds`."""
        if self._deadline is not None:
            self._deadline = max(self._deadline, now + seconds)

    def trigger(self, now: float) -> None:
        """Note that the job itself reports it is stuck."""
        if self.limit > 0 and self._kill_at is None:
            self._deadline = now

    def check(self, now: float) -> Bite:
        """Return what is due; each of ABORT and KILL comes once."""
        if self._kill_at is not None:
            if now < self._kill_at:
                return Bite.NONE
            self._kill_at = now + ABORT_GRACE
            return Bite.KILL
        if self._deadline is None or now < self._deadline:
            return Bite.NONE
        self._kill_at = now + ABORT_GRACE
        return Bite.ABORT

    @property
    def due(self) -> float | None:
        """When check() has something to say next."""
        return self._kill_at if self._kill_at is not None else self._deadline

    @property
    def bitten(self) -> bool:
        """Whether this process was aborted."""
        return self._kill_at is not None

    def reset(self) -> None:
        """Forget the old process."""
        self._deadline = self._kill_at = None
