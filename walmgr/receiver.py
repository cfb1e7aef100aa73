# SPDX-License-Identifier: ISC
"""pg_receivewal, supervised; and the way of what it completes into the archive."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skytools.core.backoff import Backoff
from skytools.core.db import split_password
from skytools.core.errors import TransientError
from skytools.walmgr import postgres
from skytools.walmgr.facts import RECEIVER_LOCK
from skytools.walmgr.files import is_locked, locked, take
from skytools.walmgr.postgres import Programs
from skytools.walmgr.remote import clean_environment
from skytools.walmgr.server import wait_until
from skytools.walmgr.site import Site
from skytools.walmgr.store import ConflictError
from skytools.walmgr.wal import (
    HISTORY,
    PARTIAL,
    SEGMENT,
    Segment,
    WalError,
    kind_of,
)

log = logging.getLogger(__name__)

ODD = ".odd"  # of a file that pg_receivewal could not go on from; goes when the archive has it
OFF = ".receiver.off"  # while somebody holds this lock the service keeps the receiver stopped
STOP_TIMEOUT = 20.0
GOOD_AFTER = 20.0
# With synchronous = on commits wait for it: seconds from the primary's return until it is back.
FIRST_DELAY, LONGEST_DELAY = 0.5, 5.0
FIRST_WITH_SLOT_POSITION = 15


class Receiver:
    """One pg_receivewal. It holds the lock, so the lock is free as soon as it is gone."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._process: subprocess.Popen[str] | None = None
        self._backoff = Backoff(FIRST_DELAY, LONGEST_DELAY)
        self._next_start = 0.0
        self._started = 0.0
        self._told = ""
        self._again = False

    @property
    def wanted(self) -> bool:
        """Whether it should run."""
        return not is_locked(self.site.cfg.home / OFF)

    @property
    def trouble(self) -> str:
        """Why it ends again and again, empty while it does not."""
        return f"receiver: {self._told}" if self._again else ""

    def supervise(self, programs: Programs) -> None:
        """Start it when it does not run and may; log why it ended. Raises TransientError."""
        if self._process is not None and self._process.poll() is None:
            if time.monotonic() - self._started > GOOD_AFTER:
                self._backoff.reset()
                if self._again:
                    log.info("receiver works again")
                self._told, self._again = "", False
            return
        if self._process is not None:
            self._ended(self._process)
        if time.monotonic() >= self._next_start:
            self._start(programs)

    def _ended(self, process: subprocess.Popen[str]) -> None:
        self._process = None
        assert process.stderr is not None
        lines = [line for line in process.stderr.read().splitlines() if line.strip()]
        process.stderr.close()
        delay = self._backoff.next()
        self._next_start = time.monotonic() + delay
        # The last one says "disconnected", or asks whether the server runs.
        lines = [line for line in lines if "error: " in line] or lines[-1:]
        why = lines[0] if lines else f"exit code {process.returncode}"
        # The same again and again, as while the primary is away, is told once.
        self._again = why == self._told
        level = logging.DEBUG if self._again else logging.WARNING
        self._told = why
        log.log(level, "receiver ended: %s; next start in %.1f s", why, delay)

    def _start(self, programs: Programs) -> None:
        cfg = self.site.cfg
        prepare(self.site, programs)
        visible, password = split_password(self.site.stream_conninfo("receiver"))
        fd = os.open(cfg.home / RECEIVER_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if not take(fd):
            os.close(fd)
            raise TransientError("another receiver runs for this archive")
        words = [
            # It must not outlive us: the next daemon could not start its own.
            *("setpriv", "--pdeathsig", "TERM", programs.path("pg_receivewal")),
            *("-d", visible, "-D", cfg.partials, "-S", cfg.slot, "--synchronous"),
            *("--no-loop", "--no-password", "--status-interval", "1"),
        ]
        env = clean_environment({"LC_ALL": "C", **({"PGPASSWORD": password} if password else {})})
        try:
            self._process = subprocess.Popen(
                list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, errors="replace", env=env, pass_fds=(fd,),
            )  # fmt: skip
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{self._process.pid}\n".encode(), 0)
        finally:
            os.close(fd)
        self._started = time.monotonic()
        log.log(logging.DEBUG if self._again else logging.INFO, "receiver started")

    def stop(self) -> None:
        """End it; what it has is on disk."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stderr is not None
        process.stderr.close()
        log.info("receiver stopped")


def prepare(site: Site, programs: Programs) -> None:
    """Make the folder fit for pg_receivewal. Raises OSError, WalError, TransientError.

    A file of an odd size, as a crash or a full disk leaves it, would stop it for good. Before
    PostgreSQL 15 it begins where the server is now unless it finds a whole segment to go on from.
    """
    folder = site.cfg.partials
    size = postgres.ask_server(site.primary()).segment_size
    for path in folder.glob(f"*.partial{ODD}"):
        if site.archive.find(path.name[:24]) is not None:
            path.unlink()
    for path in folder.glob("*.partial"):
        if path.stat().st_size not in (0, size):
            path.rename(path.with_name(path.name + ODD))
            log.warning("%s had an odd size, is set aside and received again", path.name)
    if programs.major < FIRST_WITH_SLOT_POSITION and not any(folder.glob("[0-9A-F]" * 24 + "*")):
        segments = [name for name in site.archive.names() if kind_of(name) == SEGMENT]
        newest = max(segments, key=lambda name: (name[:8], name[8:]), default=None)
        if newest is not None and (found := site.archive.find(newest)) is not None:
            site.archive.extract(found, str(folder / newest))
    _leave_a_gap(site, size)


def _leave_a_gap(site: Site, size: int) -> None:
    """Where the primary has no more what comes next, go on from where the slot is.

    pg_receivewal would ask for it for ever, and with synchronous = on no commit would end. What it
    has received goes into the archive. Raises TransientError, WalError, OSError.
    """
    files = _received(site.cfg.partials)
    if not files:
        return
    newest = max(files, key=lambda path: (path.name[8:24], path.name[:8], path.name))
    segment = Segment.parse(newest.name, size)
    wanted = (segment if kind_of(newest.name) == PARTIAL else segment.next()).name[8:]
    row = site.primary().query_one(
        "select bool_or(substr(name, 9, 16) = %s), max(substr(name, 9, 16))"
        " from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'", [wanted],
    )  # fmt: skip
    if row is None or row[0] or row[1] is None or row[1] < wanted:
        return
    for path in files:
        try:
            site.archive.admit(str(path), path.name)
        except ConflictError:
            path.unlink()  # it is kept, and told by `check`
        except WalError as exc:  # nothing was written to it yet
            path.rename(path.with_name(path.name + ODD))
            log.warning("%s; it is set aside", exc)
        else:
            path.unlink()
    log.error(
        "WAL from %s on is gone from the primary: the archive has a gap, make a backup", wanted
    )


def _received(folder: Path) -> list[Path]:
    """Return the segments that pg_receivewal would go on from, whole and unfinished ones."""
    return [
        path for path in folder.iterdir()
        if re.fullmatch(r"[0-9A-F]{24}(\.partial)?", path.name)
    ]  # fmt: skip


def collect(site: Site) -> int:
    """Admit whole segments and histories; the newest whole segment stays as a place to go on from.

    Returns how many files were new. Raises WalError, OSError; what could not be admitted stays, and
    hinders no other file: a ConflictError tells that nothing worse than that has happened.
    """
    names = []
    for path in site.cfg.partials.iterdir():
        with suppress(WalError):
            if kind_of(path.name) in (SEGMENT, HISTORY):
                names.append(path.name)
    names.sort()
    newest = max((name for name in names if kind_of(name) == SEGMENT), default="")
    new, faults = 0, []
    for name in names:
        try:
            new += _collect(site, name, stays=name == newest or kind_of(name) == HISTORY)
        except WalError as exc:
            faults.append(exc)
            site.archive.count_failure()
    if faults:
        raise min(faults, key=lambda one: isinstance(one, ConflictError))
    return new


def _collect(site: Site, name: str, *, stays: bool) -> bool:
    path = site.cfg.partials / name
    if stays:
        return site.archive.find(name) is None and _admit(site, path)
    new = _admit(site, path)
    path.unlink(missing_ok=True)
    return new


def _admit(site: Site, path: Path) -> bool:
    """Take a file into the archive; False when it was there, or somebody else takes it now."""
    try:
        return site.archive.admit(str(path), path.name)
    except FileNotFoundError:
        if path.exists():
            raise  # it is the archive that is missing
        return False  # `boot` and the service do this at the same time


@contextmanager
def receiver_off(site: Site) -> Iterator[None]:
    """Keep the receiver stopped during the block. Raises TransientError when it goes on."""
    lock = site.cfg.home / RECEIVER_LOCK
    with locked(site.cfg.home / OFF, "another promotion"):
        wait_until(lambda: not is_locked(lock), "the receiver stops", STOP_TIMEOUT * 2)
        yield


def clear_partials(site: Site, timeline: int) -> None:
    """Remove what the receiver has of older timelines; after a promotion the archive has it."""
    for path in site.cfg.partials.iterdir():
        with suppress(WalError):
            kind = kind_of(path.name)
            if kind in (SEGMENT, PARTIAL) and int(path.name[:8], 16) < timeline:
                path.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file durably."""
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
