# SPDX-License-Identifier: ISC
"""Verbs by which a walmgr3 on the primary's host still works with us: the x... of its backups.

`sync` too: what has not arrived yet is fetched, from a primary that works or one that is dead.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.expire import expire, floor_of, purge
from skytools.walmgr.facts import RECEIVER_LOCK
from skytools.walmgr.files import is_locked, make_folder, write_text
from skytools.walmgr.node import Node
from skytools.walmgr.page import HEADER_SIZE, check_segment
from skytools.walmgr.receiver import receiver_off
from skytools.walmgr.server import wait_until
from skytools.walmgr.site import Site
from skytools.walmgr.store import sync_folder
from skytools.walmgr.wal import PARTIAL, SEGMENT, WalError, kind_of

ARRIVAL = 60.0
FLUSHED = """
select coalesce(bool_and(flush_lsn >= %s::pg_lsn), false) from pg_stat_replication
where application_name = 'walmgr_receiver'
"""


def sync(site: Site) -> list[str]:
    """Bring here what the primary has and we have not; returns the names of files that came.

    Raises SkytoolsError.
    """
    site.require_folders()
    leader = site.leader
    if is_locked(site.cfg.home / RECEIVER_LOCK) and site.primary_answers() is not None:
        site.say(f"the receiver has everything up to {wait_received(site.primary())}")
        return []
    if leader.data is None:
        raise UsageError("master_data must be set: where the primary's files are")
    there = leader.wal_names()
    partials = site.cfg.partials
    make_folder(partials)
    # A receiver that began meanwhile would write on into what is replaced here.
    with (
        receiver_off(site),
        tempfile.TemporaryDirectory(prefix=".sync-", dir=partials) as scratch,
    ):
        names = _fetch(site, leader, there, Path(scratch))
    site.say(f"fetched {', '.join(names)}" if names else "there is nothing new")
    return names


def wait_received(database: Database) -> str:
    """Wait until the receiver has on disk what the primary has; returns up to where.

    Raises TransientError.
    """
    position = str(database.value("select pg_current_wal_flush_lsn()::text"))
    wait_until(
        lambda: bool(database.value(FLUSHED, [position])), f"the receiver has {position}", ARRIVAL
    )
    return position


def _fetch(site: Site, leader: Node, there: list[str], scratch: Path) -> list[str]:
    """Take finished segments into the archive, the unfinished one into partial_wals."""
    finished = _finished(leader)
    fetched = []
    for name in there:
        if not _is_kind(name) or site.archive.find(name) is not None:
            continue
        copy = scratch / name
        leader.fetch_wal(name, copy)
        if kind_of(name) != SEGMENT or name in finished:
            site.archive.admit(str(copy), name)
        elif not _is_current(copy, name):
            continue
        else:
            copy.rename(site.cfg.partials / f"{name}.partial")
            sync_folder(str(site.cfg.partials))
        fetched.append(name)
    return fetched


def _is_kind(name: str) -> bool:
    with suppress(WalError):
        return kind_of(name) != PARTIAL
    return False


def _finished(leader: Node) -> set[str]:
    """Return the names that the primary itself holds to be complete."""
    try:
        found = leader.host.check(["ls", leader.folder / "pg_wal" / "archive_status"]).split()
    except ProgramError:
        return set()
    return {name.rpartition(".")[0] for name in found}


def _is_current(path: Path, name: str) -> bool:
    """Whether a segment has been begun; one that waits to be used again has another header."""
    with suppress(WalError), path.open("rb") as file:
        check_segment(file.read(HEADER_SIZE), path.stat().st_size, name)
        return True
    return False


def xpartialsync(site: Site, name: str, offset: int, size: int) -> None:
    """Write a piece of an unfinished segment. Source: walmgr3, the record mode of syncdaemon.

    With a receiver at work nothing is written: it has the same bytes. Raises UsageError.
    """
    if kind_of(name) != SEGMENT:
        raise UsageError(f"{name} is no WAL segment")
    data = sys.stdin.buffer.read(size)
    if len(data) != size:
        raise SkytoolsError(f"{name}: {len(data)} bytes came, {size} were announced")
    if is_locked(site.cfg.home / RECEIVER_LOCK):
        return
    path = site.cfg.partials / f"{name}.partial"
    whole = max((one.segment_size for one in site.sets() if one.complete), default=16 << 20)
    if offset < 0 or offset + size > whole:
        raise UsageError(f"{name}: a segment has {whole} bytes")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if offset == 0 else 0), 0o600)
    try:
        os.ftruncate(fd, whole)
        os.pwrite(fd, data, offset)
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(str(path.parent))


def xlock(site: Site, pid: str) -> None:
    """Take the lock of backups for a walmgr3. Raises RefusedError when it is taken."""
    with site.backup_lock():
        write_text(site.old_lock, f"{pid}\n")


def xrelease(site: Site) -> None:
    """Give it back."""
    with suppress(FileNotFoundError):
        site.old_lock.unlink()


def xpurgewals(site: Site) -> int:
    """Remove WAL that no set needs; returns how many files went.

    A walmgr3 asks for it in the middle of its backup, and holds the lock.
    """
    sets = site.sets()
    floor = floor_of(site, sets, (), [one.name for one in sets])
    return 0 if floor is None else purge(site, floor)


def xrotate(site: Site) -> None:
    """Make room for a set that a walmgr3 pushes to the place of the newest one."""
    expire(site)
    newest = site.cfg.sets
    if not newest.is_dir():
        return
    number = 0
    while (path := newest.with_name(f"{newest.name}.{number}")).exists():
        number += 1
    for at in range(number, 0, -1):
        newest.with_name(f"{newest.name}.{at - 1}").rename(newest.with_name(f"{newest.name}.{at}"))
    newest.rename(newest.with_name(f"{newest.name}.0"))
    sync_folder(str(path.parent))
