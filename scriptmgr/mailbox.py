# SPDX-License-Identifier: ISC
"""Messages of jobs -> their records."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from skytools.scriptmgr.desired import JobState, Phase
from skytools.scriptmgr.relay import Message, Relay


class Mailbox:
    """Reads the relay. `processes` maps pids to supervisord's processes, as it keeps them."""

    def __init__(
        self,
        relay: Relay,
        processes: Mapping[int, Any],
        states: Mapping[str, JobState],
        became_ready: Callable[[JobState], None],
    ) -> None:
        self.dropped = 0  # messages of unknown processes
        self._relay = relay
        self._processes = processes
        self._states = states
        self._became_ready = became_ready

    def read(self, now: float, limit: float) -> float:
        """Take over what has come; a stopping job may ask for `limit` seconds in all.

        Returns the longest time that a stopping job has just asked for, 0 for none.
        """
        return max(
            (self._take(message, now, limit) for message in self._relay.receive()), default=0
        )

    def _take(self, message: Message, now: float, limit: float) -> float:
        state = self._sender(message.pid)
        if state is None:
            self.dropped += 1
            return 0.0
        was_ready = state.ready
        state.message(message.fields, now)
        if state.ready and not was_ready:
            self._became_ready(state)
        usec = message.fields.get("EXTEND_TIMEOUT_USEC", "")
        if not (usec.isascii() and usec.isdigit()):
            return 0.0
        return state.extend(now, min(int(usec) / 1e6, limit), limit)

    def _sender(self, pid: int) -> JobState | None:
        """Return the job a process belongs to: as the job itself or by its process group."""
        process = self._processes.get(pid)
        if process is None:
            try:
                process = self._processes.get(os.getpgid(pid))
            except ProcessLookupError:
                return None
        return None if process is None else self._states.get(process.config.name)

    def patient(self, now: float) -> list[JobState]:
        """Return the stopping jobs that were granted more time."""
        return [
            state
            for state in self._states.values()
            if state.phase is Phase.STOPPING and now < state.patience_ends
        ]
