# SPDX-License-Identifier: ISC
"""Restore into a data folder that is there: only files that differ from the set are written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skytools.walmgr import postgres
from skytools.walmgr.datadir import stage_set, staged_at, sync_tree
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.postgres import Programs
from skytools.walmgr.sets import BackupSet

CONTROL = Path("global/pg_control")
WAL = Path("pg_wal")
SPACES = Path("pg_tblspc")
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Trees:
    """The files of a set: its data folder, and the folder of its tablespaces by number."""

    data: Path
    spaces: Path
    oids: tuple[str, ...]


def require_fit(one: BackupSet, folder: Path, programs: Programs) -> None:
    """Raise RefusedError unless the folder is of the same cluster."""
    if not (folder / "PG_VERSION").is_file():
        raise RefusedError(f"folder {folder} is no data folder: nothing in it may be overwritten")
    if not (folder / CONTROL).exists():
        return  # an earlier attempt was interrupted
    control = postgres.read_control(programs, folder)
    if control.system_id != one.system_id:
        raise RefusedError(f"folder {folder} is of cluster {control.system_id}, the set of another")


@contextmanager
def whole(
    one: BackupSet, target: Path, chain: Sequence[BackupSet], combine: Path
) -> Iterator[Trees]:
    """Give the set's files; those of an incremental one are put together beside `target`."""
    if len(chain) == 1:
        yield Trees(one.data, one.spaces, tuple(one.tablespaces))
        return
    beside = target.with_name(f"{target.name}.delta")
    data, spaces = staged_at(beside)
    try:
        stage_set(one, beside, chain, combine)
        yield Trees(data, spaces, tuple(one.tablespaces))
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(spaces, ignore_errors=True)


def make_equal(source: Trees, target: Path) -> tuple[int, int]:
    """Make a data folder equal to a set; returns how many files were written and how many stayed.

    Without its control file no server starts on it; that comes back last. Tablespaces are beside
    the folder, as a restored server has them; what another link leads to is somebody else's.
    """
    (target / CONTROL).unlink(missing_ok=True)
    for path in (target / WAL).iterdir():
        _remove(path)
    written, kept = _equal(source.data, target)
    _, spaces = staged_at(target)
    (target / SPACES).mkdir(mode=0o700, exist_ok=True)
    for path in (target / SPACES).iterdir():
        if path.name not in source.oids or not path.is_symlink():
            _remove(path)
    for oid in source.oids:
        own, link = spaces / oid, target / SPACES / oid
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != own:
            link.unlink(missing_ok=True)
            link.symlink_to(own)
        changed, same = _equal(source.spaces / oid, own)
        written, kept = written + changed, kept + same
    sync_tree(target)
    if source.oids:
        sync_tree(spaces)
    _bring(source.data / CONTROL, target / CONTROL)
    sync_tree(target)
    return written + 1, kept


def _equal(source: Path, target: Path) -> tuple[int, int]:
    """Make one tree equal to another; pg_tblspc and the control file are the caller's."""
    _remove_others(source, target)
    written = kept = 0
    for folder, names, files in os.walk(source):
        inside = Path(folder).relative_to(source)
        names[:] = [name for name in names if inside / name != SPACES]
        for name in names:
            (target / inside / name).mkdir(mode=0o700, exist_ok=True)
        for name in files:
            if inside / name == CONTROL:
                continue
            changed = _bring(Path(folder) / name, target / inside / name)
            written, kept = written + changed, kept + (not changed)
    return written, kept


def _remove_others(source: Path, target: Path) -> None:
    """Remove what the other tree has not; pg_wal may be a link."""
    for folder, names, files in os.walk(target):
        inside = Path(folder).relative_to(target)
        for name in [*names, *files]:
            path, ours = target / inside / name, source / inside / name
            if inside / name in (WAL, SPACES):
                continue
            if not ours.exists() or ours.is_dir() != path.is_dir() or path.is_symlink():
                _remove(path)
        names[:] = [
            name for name in names
            if inside / name != SPACES and (target / inside / name).is_dir()
        ]  # fmt: skip


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _bring(source: Path, target: Path) -> bool:
    """Copy a file unless it is there with the same content; whether it was copied."""
    if target.exists() and _same(source, target):
        return False
    shutil.copyfile(source, target)
    target.chmod(0o600)
    return True


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb", 0) as left, other.open("rb", 0) as right:
        while True:
            data = left.read(CHUNK)
            if data != right.read(CHUNK):
                return False
            if not data:
                return True
