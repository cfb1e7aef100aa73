# SPDX-License-Identifier: ISC
"""Files that are the same in two sets are kept once, as hard links: nothing writes into a set."""

from __future__ import annotations

import errno
import filecmp
import os
import stat
from pathlib import Path

from skytools.walmgr.sets import BackupSet
from skytools.walmgr.store import sync_folder

SMALLEST = 8192
ASIDE = ".link"  # in no folder that the manifest tells of


def share_files(one: BackupSet, before: BackupSet) -> int:
    """Link what an earlier set has with the same content; returns the bytes saved.

    A set is whole at any moment of this. Raises OSError.
    """
    both = [oid for oid in one.tablespaces if oid in before.tablespaces]
    trees = [(one.data, before.data), *((one.spaces / oid, before.spaces / oid) for oid in both)]
    saved = 0
    for ours, theirs in trees:
        for folder, _, names in os.walk(ours):
            here = Path(folder)
            there = theirs / here.relative_to(ours)
            for name in names:
                saved += _share(here / name, there / name, one.path / ASIDE)
    sync_folder(str(one.path))
    return saved


def _share(path: Path, other: Path, aside: Path) -> int:
    """Make one file a link to another with the same content; returns its bytes, 0 if it is not."""
    try:
        mine, theirs = path.lstat(), other.lstat()
    except FileNotFoundError:
        return 0
    regular = stat.S_ISREG(mine.st_mode) and stat.S_ISREG(theirs.st_mode)
    if not regular or mine.st_size != theirs.st_size or mine.st_size < SMALLEST:
        return 0
    if mine.st_ino == theirs.st_ino or not filecmp.cmp(path, other, shallow=False):
        return 0
    aside.unlink(missing_ok=True)
    try:
        aside.hardlink_to(other)
    except OSError as exc:
        if exc.errno in (errno.EMLINK, errno.EXDEV, errno.EPERM):
            return 0  # too many links, another disk, or a file system that has none
        raise
    aside.rename(path)
    return mine.st_size
