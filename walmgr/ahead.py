# SPDX-License-Identifier: ISC
"""Look-ahead of restore_command: while the server replays one segment the next are fetched.

They wait below pg_wal, each under its own name once it is whole and checked. Which timeline is
wanted is the server's to say: a segment that it does not ask for is thrown away.
"""

from __future__ import annotations

import fcntl
import os
import time

from skytools.walmgr.blocks import suppress
from skytools.walmgr.store import is_held
from skytools.walmgr.wal import SEGMENT, Segment, WalError, is_segment_size, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = ".walmgr-ahead"
SERVERS_TARGET = "RECOVERYXLOG"  # the name by which PostgreSQL has a file restored
LENGTH = 8
POLL = 0.003


class Spool:
    """The folder of segments that were fetched ahead; there is none for calls by hand."""

    def __init__(self, target: str, name: str) -> None:
        self._wal, file = os.path.split(target)
        self._folder = os.path.join(self._wal, FOLDER)
        self.used = file == SERVERS_TARGET and kind_of(name) == SEGMENT

    def take(self, name: str, target: str) -> bool:
        """Put a segment that was fetched ahead at `target`; waits for one that is on its way."""
        if not self.used or self._is_of_another_start():
            return False
        path = os.path.join(self._folder, name)
        while not os.path.exists(path) and self._coming(name):
            time.sleep(POLL)
        try:
            os.rename(path, target)
        except FileNotFoundError:
            return False
        return True

    def following(self, name: str) -> list[str]:
        """Return the names that the server is likely to ask for next."""
        size = self._segment_size() if self.used else 0
        if not size or is_held(self._lock):
            return []
        try:
            one, names = Segment.parse(name, size), []
        except WalError:
            return []
        for _ in range(LENGTH - 1):
            one = one.next()
            names.append(one.name)
        return names

    def begin(self, names: list[str], fetch: Callable[[Callable[[str], str]], None]) -> None:
        """Fetch in the background: `fetch` gets a function that names the file for a segment."""
        self.clear()
        os.makedirs(self._folder, 0o700, exist_ok=True)
        with open(os.path.join(self._folder, "plan"), "w", encoding="ascii") as plan:
            plan.write("\n".join(names))
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        # The lock is shared with the child, and gone when that is.
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fork() == 0:
            try:
                _in_background(lambda: fetch(lambda name: os.path.join(self._folder, name)))
            finally:
                os._exit(0)  # never back into the caller's code
        os.close(fd)

    def clear(self) -> None:
        """Throw away what was not asked for."""
        if is_held(self._lock):
            return
        with suppress(OSError):  # another call may do the same
            for name in os.listdir(self._folder):
                os.unlink(os.path.join(self._folder, name))
            os.rmdir(self._folder)

    @property
    def _lock(self) -> str:
        return os.path.join(self._folder, "lock")

    def _is_of_another_start(self) -> bool:
        """Whether the machine was started since: nothing here is synced, so it may be anything."""
        started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        try:
            return os.stat(os.path.join(self._folder, "plan")).st_mtime < started
        except FileNotFoundError:
            return True

    def _coming(self, name: str) -> bool:
        try:
            with open(os.path.join(self._folder, "plan"), encoding="ascii") as plan:
                return name in plan.read().split() and is_held(self._lock)
        except FileNotFoundError:
            return False

    def _segment_size(self) -> int:
        for name in self._segments():
            size = os.stat(os.path.join(self._wal, name)).st_size
            return size if is_segment_size(size) else 0
        return 0

    def _segments(self) -> Iterator[str]:
        for name in os.listdir(self._wal):
            try:
                if kind_of(name) == SEGMENT:
                    yield name
            except WalError:
                continue


def _in_background(job: Callable[[], None]) -> None:
    """Run a job that nobody waits for: no terminal, nothing of the server's kept open."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    with suppress(WalError, OSError):  # who asks for it in its turn is told why
        job()
