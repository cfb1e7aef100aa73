# SPDX-License-Identifier: ISC
"""Incremental for ever: a set that stays is made whole, so that those it is based on may go.

The whole set is made and verified beside the old one and takes its place and name: sets that are
based on it go on being so, as it begins at the same position of WAL.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from glob import escape
from pathlib import Path

from skytools.walmgr.datadir import stage_set, staged_at, sync_tree
from skytools.walmgr.outside import FOLDER as CONFIG
from skytools.walmgr.retention import decide
from skytools.walmgr.sets import FACTS, VERIFIED, BackupSet, chain_of, folder_size, list_sets
from skytools.walmgr.site import Site
from skytools.walmgr.store import sync_folder

ROLLING = ".rolling-"
REPLACED = ".replaced-"


def roll_up(site: Site, now: float) -> None:
    """Make whole what stays and is based on a set that nobody asks for by itself.

    The caller holds the backup lock. Raises ProgramError; all sets are then as they were.
    """
    finish(site)
    if not site.cfg.incremental_forever:
        return
    sets = list_sets(site.cfg.sets, running=False)
    decisions = decide([one.candidate() for one in sets], site.cfg.policy, now)
    wanted = {one.name for one in decisions if one.wanted}
    for one in sets:
        if one.complete and one.parent and one.name in wanted:
            # A set before it may have been made whole meanwhile.
            chain = chain_of(list_sets(site.cfg.sets, running=False), one)
            if any(other.name not in wanted for other in chain):
                _make_whole(site, chain)


def finish(site: Site) -> None:
    """Complete or take back what a killed one has begun."""
    folder, prefix = site.cfg.sets.parent, f"{escape(site.cfg.sets.name)}."
    for path in folder.glob(f"{ROLLING}{prefix}*"):
        final = path.with_name(path.name.removeprefix(ROLLING))
        if final.exists() or not (path / FACTS).exists():
            shutil.rmtree(path)
        else:
            path.rename(final)
            sync_folder(str(folder))
    for path in folder.glob(f"{REPLACED}{prefix}*"):
        shutil.rmtree(path)


def _make_whole(site: Site, chain: list[BackupSet]) -> None:
    one = chain[-1]
    programs = site.programs(one.version // 10000)
    aside = one.path.with_name(ROLLING + one.name)
    aside.mkdir(mode=0o700)
    target = aside / "data"
    try:
        stage_set(one, target, chain, programs.path("pg_combinebackup"))
        data, spaces = staged_at(target)
        data.rename(target)
        site.here.check([programs.path("pg_verifybackup"), "--quiet", target])
        _place_spaces(one, target, spaces)
        if (one.path / CONFIG).is_dir():
            shutil.copytree(one.path / CONFIG, aside / CONFIG)
        whole = replace(one, path=aside, parent="", state=VERIFIED, size=folder_size(aside))
        whole.save()
        sync_tree(aside)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    # From here on `finish` brings it to its end.
    replaced = one.path.with_name(REPLACED + one.name)
    one.path.rename(replaced)
    aside.rename(one.path)
    sync_folder(str(one.path.parent))
    shutil.rmtree(replaced)
    site.say(f"backup set {one.name}: made whole of {len(chain)} sets, verified")


def _place_spaces(one: BackupSet, data: Path, spaces: Path) -> None:
    """Bring tablespaces where a set has them, as seen from its later place."""
    final = data.parent / "tablespaces"
    if one.tablespaces:
        spaces.rename(final)
    else:
        final.mkdir(mode=0o700)
    for oid in one.tablespaces:
        link = data / "pg_tblspc" / oid
        link.unlink()
        link.symlink_to(one.spaces / oid)
