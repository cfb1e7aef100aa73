# SPDX-License-Identifier: ISC
"""Restore into a data folder that is there: only files that differ from the set are written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from skytools.core.errors import UsageError
from skytools.walmgr import postgres
from skytools.walmgr.datadir import sync_tree
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.postgres import Programs
from skytools.walmgr.sets import BackupSet

CONTROL = Path("global/pg_control")
WAL = Path("pg_wal")
CHUNK = 1 << 20


def require_fit(one: BackupSet, folder: Path, programs: Programs) -> None:
    """Raise unless the folder is of the same cluster, and the set can be compared with it."""
    if one.parent or one.tablespaces:
        what = "incremental" if one.parent else "with tablespaces"
        raise UsageError(f"--delta: set {one.name} is {what}: restore it as a whole")
    if not (folder / "PG_VERSION").is_file():
        raise RefusedError(f"folder {folder} is no data folder: nothing in it may be overwritten")
    if not (folder / CONTROL).exists():
        return  # an earlier attempt was interrupted
    control = postgres.read_control(programs, folder)
    if control.system_id != one.system_id:
        raise RefusedError(f"folder {folder} is of cluster {control.system_id}, the set of another")


def make_equal(source: Path, target: Path) -> tuple[int, int]:
    """Make a data folder equal to a set; returns how many files were written and how many stayed.

    Without its control file no server starts on it; that comes back last.
    """
    (target / CONTROL).unlink(missing_ok=True)
    _remove_others(source, target)
    written = kept = 0
    for folder, names, files in os.walk(source):
        inside = Path(folder).relative_to(source)
        for name in names:
            (target / inside / name).mkdir(mode=0o700, exist_ok=True)
        for name in files:
            if inside / name == CONTROL:
                continue
            changed = _bring(Path(folder) / name, target / inside / name)
            written, kept = written + changed, kept + (not changed)
    sync_tree(target)
    _bring(source / CONTROL, target / CONTROL)
    sync_tree(target)
    return written + 1, kept


def _remove_others(source: Path, target: Path) -> None:
    """Remove what the set has not; of pg_wal everything, wherever it is linked to."""
    for path in (target / WAL).iterdir():
        _remove(path)
    for folder, names, files in os.walk(target):
        inside = Path(folder).relative_to(target)
        for name in [*names, *files]:
            path, ours = target / inside / name, source / inside / name
            if inside / name == WAL:
                continue
            if not ours.exists() or ours.is_dir() != path.is_dir() or path.is_symlink():
                _remove(path)
        names[:] = [name for name in names if (target / inside / name).is_dir()]


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
