# SPDX-License-Identifier: ISC
"""Work done side by side by forked children; for programs that must start fast."""

from __future__ import annotations

import os
import sys

from skytools.walmgr.wal import WalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Children:
    """At most as many children as there are processors."""

    def __init__(self) -> None:
        self._limit = max(2, len(os.sched_getaffinity(0)))
        self._running: set[int] = set()
        self._failed = 0

    def start(self, job: Callable[[], None]) -> None:
        """Run a job in a child, once there is room; what it raises is told on standard error."""
        while len(self._running) >= self._limit:
            self._wait_one()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = _run(job)
            finally:
                os._exit(code)  # never back into the caller's code
        self._running.add(pid)

    def wait(self) -> int:
        """Wait for all; returns how many have failed."""
        while self._running:
            self._wait_one()
        return self._failed

    def _wait_one(self) -> None:
        pid, status = os.wait()
        if pid in self._running:
            self._running.remove(pid)
            self._failed += status != 0


def _run(job: Callable[[], None]) -> int:
    try:
        job()
    except OSError as exc:
        sys.stderr.write(f"walmgr: {exc.filename or 'archive'}: {exc.strerror or exc}\n")
        return 1
    except WalError as exc:
        sys.stderr.write(f"walmgr: {exc}\n")
        return 1
    return 0
