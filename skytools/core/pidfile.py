# SPDX-License-Identifier: ISC
"""Pidfiles that cannot lie: the running process holds a lock on its file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from skytools.core.errors import SkytoolsError, UsageError


class PidFile:
    """A locked pidfile. The lock, not the number in it, tells whether the owner lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> None:
        """Take the file and write our pid. Raises SkytoolsError when another process has it."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise UsageError(f"pidfile {self.path} cannot be written: {exc.strerror}") from exc
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise SkytoolsError(f"already running as pid {pid} ({self.path})") from None
        self._fd = fd
        self.write(os.getpid())

    def write(self, pid: int) -> None:
        """Write the owner's pid; again for the child of a fork, which hands the lock on to it."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{pid}\n".encode(), 0)

    def release(self) -> None:
        """Remove the file, if it is ours."""
        if self._fd >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def background(pidfile: PidFile | None) -> None:
    """Fork once, leave the terminal. The parent ends with 0 when the pidfile names the child."""
    if child := os.fork():
        if pidfile is not None:
            pidfile.write(child)
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)


def send_signal(path: Path, number: int) -> bool:
    """Signal the owner of a pidfile; False when it no longer runs.

    Raises SkytoolsError when there is no such file or the signal is refused. A file without
    a lock is stale whatever process has its number now.
    """
    try:
        with path.open(encoding="ascii") as file:
            pid = int(file.read().split()[0])
            if not _locked(file.fileno()):
                return False
        os.kill(pid, number)
    except FileNotFoundError:
        raise SkytoolsError(f"no pidfile {path}: not running?") from None
    except (ValueError, IndexError) as exc:
        raise SkytoolsError(f"pidfile {path} holds no process number") from exc
    except ProcessLookupError:
        return False
    except OSError as exc:
        raise SkytoolsError(f"cannot signal the owner of {path}: {exc.strerror}") from exc
    return True


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
