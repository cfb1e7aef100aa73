# SPDX-License-Identifier: ISC
"""Facts kept in files: each written aside, synced and renamed; locks that die with their holder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from skytools.core.errors import SkytoolsError
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.store import is_held, sync_folder

PATIENCE = 0.3


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file durably. Raises OSError, which names it."""
    aside = path.with_name(f".{path.name}.new")
    try:
        with _open_alone(aside) as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            aside.rename(path)
    except OSError as exc:
        aside.unlink(missing_ok=True)
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    sync_folder(str(path.parent))


def _open_alone(path: Path) -> IO[str]:
    """Open a file that is to be empty and that nobody else writes; locked until it is closed."""
    while True:
        file = path.open("a", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate(0)
                return file
        file.close()  # whoever had the lock before has renamed it


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a file of facts durably."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return a file of facts, {} when it is missing or damaged: all can be found out again."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, NotADirectoryError):
        return {}
    return found if isinstance(found, dict) else {}


def make_folder(path: Path) -> None:
    """Make a private folder and its parents, durably. Raises SkytoolsError."""
    if path.is_dir():
        return
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(str(path.parent))
    except OSError as exc:
        raise SkytoolsError(f"folder {path}: {exc.strerror}") from exc


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock while the block runs. Raises RefusedError when somebody else holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not take(fd):
            pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise RefusedError(f"{what} is running already (process {pid})")
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def take(fd: int) -> bool:
    """Take the lock on an open file; False when somebody else keeps it.

    Whoever only looks whether it is taken holds it for a moment, hence the patience.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    return is_held(str(path))
