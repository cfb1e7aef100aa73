# SPDX-License-Identifier: ISC
"""The end of the manager: jobs stop side by side, in waves from the highest priority number."""

from __future__ import annotations

from collections.abc import Mapping

from skytools.scriptmgr.desired import MIN_LIFE, JobState, Phase


class Shutdown:
    """Says which jobs are to be stopped now."""

    def __init__(self, states: Mapping[str, JobState]) -> None:
        self._states = states

    def wave(self, now: float) -> list[str]:
        """Return the jobs to send TERM to: those up among the highest priority still alive."""
        alive = [s for s in self._states.values() if s.phase is not Phase.DOWN]
        if not alive:
            return []
        top = max(state.job.priority for state in alive)
        return [
            state.job.name
            for state in alive
            if state.job.priority == top
            and state.phase is Phase.UP
            and now - state.started >= MIN_LIFE
        ]

    def longest(self) -> float:
        """Return for how long the whole may take, in seconds."""
        waves: dict[int, float] = {}
        for state in self._states.values():
            if state.phase is not Phase.DOWN:
                priority = state.job.priority
                waves[priority] = max(waves.get(priority, 0.0), state.job.stop_timeout)
        return sum(waves.values())
