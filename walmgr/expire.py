# SPDX-License-Identifier: ISC
"""Removing sets, and WAL that nothing needs any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skytools.core.errors import UsageError
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.hooks import run_hook
from skytools.walmgr.points import Ledger
from skytools.walmgr.retention import Decision, decide, wal_floor
from skytools.walmgr.rollup import roll_up
from skytools.walmgr.sets import BackupSet, list_sets
from skytools.walmgr.site import Site
from skytools.walmgr.store import sync_folder
from skytools.walmgr.wal import HISTORY, Segment, kind_of

REMOVING = ".removing-"


def plan_expiry(site: Site, sets: Iterable[BackupSet]) -> list[Decision]:
    """Decide which sets stay."""
    return decide([one.candidate() for one in sets], site.cfg.policy, time.time())


def expire(site: Site) -> None:
    """Remove what retention does not keep, then WAL that no kept set and no standby needs.

    The caller holds the backup lock. Raises ProgramError when a hook forbids it, or when a set
    could not be made whole: then those that it is based on stay.
    """
    _sweep(site)
    try:
        roll_up(site, time.time())
    finally:
        _expire(site)


def _expire(site: Site) -> None:
    # With the lock in our hands, whatever still claims to be made is what a killed one has left.
    sets = {one.name: one for one in list_sets(site.cfg.sets, running=False)}
    decisions = plan_expiry(site, sets.values())
    going = [one for one in decisions if not one.keep]
    names = " ".join(one.name for one in going)
    if going:
        run_hook(site, "expire_pre_hook", SETS=names)
    stayed = _remove_sets(site, sets, going)
    floor = floor_of(site, sets.values(), decisions, stayed)
    if floor is not None:
        purge(site, floor)
    if going:
        run_hook(site, "expire_post_hook", SETS=names)


def floor_of(
    site: Site, sets: Iterable[BackupSet], decisions: Iterable[Decision], stayed: Iterable[str] = ()
) -> int | None:
    """Return the first byte of WAL that stays; None: all of it."""
    names = {one.name for one in decisions if one.wal}.union(stayed)
    floor = wal_floor([one.candidate() for one in sets], names)
    return None if floor is None else min(floor, standby_floor(site, floor))


def _remove_sets(site: Site, sets: Mapping[str, BackupSet], going: Sequence[Decision]) -> set[str]:
    """Remove sets; returns the names of those that a hook has kept, with what they are based on."""
    stayed: set[str] = set()
    # The newest first: at no moment there is one without what it is based on.
    for one in reversed(going):
        needed = any(sets[name].parent == one.name for name in stayed)
        if needed or not _remove_set(site, sets[one.name], one.why):
            stayed.add(one.name)
    return stayed


def _remove_set(site: Site, one: BackupSet, why: str) -> bool:
    """Remove a set unless the hook says no; whether it is gone."""
    if site.cfg.archive_command and one.complete:
        command = site.cfg.archive_command.replace("$BACKUPDIR", f"'{one.path}'")
        try:
            run_hook(site, "archive_command", command)
        except ProgramError as exc:
            site.say(f"backup set {one.name}: kept, {exc}")
            return False
    discard(one)
    site.say(f"backup set {one.name}: removed, {why}")
    return True


def discard(one: BackupSet) -> None:
    """Remove a set's folder; renamed first, so that no half of one is ever listed."""
    gone = one.path.with_name(REMOVING + one.name)
    one.path.rename(gone)
    sync_folder(str(gone.parent))
    shutil.rmtree(gone)


def _sweep(site: Site) -> None:
    """Finish removals that were interrupted."""
    prefix = site.cfg.sets
    for path in prefix.parent.glob(f"{REMOVING}{prefix.name}*"):
        shutil.rmtree(path)


def standby_floor(site: Site, otherwise: int) -> int:
    """Return the first byte of WAL that the standby may still have to read."""
    node = site.follower
    if not node.host.local or node.data is None or not (node.data / "standby.signal").exists():
        return otherwise
    control = node.control()
    return control.redo if control else otherwise


def old_wal(site: Site, floor: int) -> list[Path]:
    """Return archived files that end at or before `floor`; history files stay for ever."""
    size = _segment_size(site)
    files = site.archive.names().items()
    old = (file for name, file in files if kind_of(name) != HISTORY and _end(name, size) <= floor)
    return [site.cfg.completed / file for file in old]


def _end(name: str, size: int) -> int:
    return Segment.parse(name, size).end


def purge(site: Site, floor: int) -> int:
    """Remove WAL that nothing needs. Returns how many files went."""
    removed = old_wal(site, floor)
    for path in removed:
        path.unlink()
    if removed:
        Ledger(site).forget(floor)
        sync_folder(str(site.cfg.completed))
    return len(removed)


def _segment_size(site: Site) -> int:
    sizes = {one.segment_size for one in site.sets() if one.complete}
    if len(sizes) != 1:
        raise UsageError(f"backup sets of {len(sizes)} segment sizes lie in {site.cfg.sets.parent}")
    return sizes.pop()
