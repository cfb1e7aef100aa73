# SPDX-License-Identifier: ISC
"""The verbs `backup`, `listbackups` and `expire`: their arguments and what they print."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from skytools.core.errors import UsageError
from skytools.walmgr.backup import Wish, full_is_due, make_backup
from skytools.walmgr.config import MAX_STREAMS
from skytools.walmgr.coverage import coverages, last_commit, when
from skytools.walmgr.expire import expire, floor_of, old_wal, plan_expiry
from skytools.walmgr.site import Site
from skytools.walmgr.wal import format_lsn

Options = argparse.Namespace


def backup_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `backup` takes."""
    p.add_argument("--from", dest="source", choices=("primary", "standby"), default="primary",
                   help="which server is read")  # fmt: skip
    kind = p.add_mutually_exclusive_group()
    kind.add_argument("--incremental", action="store_true", default=None,
                      help="only what has changed since the newest set (17 and newer)")  # fmt: skip
    kind.add_argument("--full", dest="incremental", action="store_false", help="all")
    p.add_argument("--streams", type=int, default=0, metavar="N", choices=range(1, MAX_STREAMS + 1),
                   help="so many rsync side by side; 1: pg_basebackup")  # fmt: skip
    p.add_argument("--max-rate", default="", metavar="RATE", help="as 20M: bytes a second at most")


def run_backup(site: Site, opts: Options) -> int:
    """Make a set, remove old ones."""
    if opts.plan:
        count = opts.streams or site.cfg.backup_streams
        how = "pg_basebackup" if count == 1 else f"{count} rsync (incremental: pg_basebackup)"
        site.say(f"{how} from the {opts.source} to {site.cfg.sets}.TIME, then:")
        return _explain(site)
    wanted = opts.incremental
    if wanted is None:
        wanted = site.cfg.incremental and not full_is_due(site)
    if wanted and opts.source == "standby":
        raise UsageError("an incremental backup is made from the primary")
    anew = opts.incremental is False
    one = make_backup(site, Wish(opts.source, opts.max_rate, wanted, opts.streams, anew))
    if site.out.as_json:
        site.out.data(asdict(one))
    return 0


def run_expire(site: Site, opts: Options) -> int:
    """Remove what retention does not keep, or tell why what would go."""
    site.require_folders()
    if opts.plan:
        return _explain(site)
    before = {one.name for one in site.sets()}, set(site.archive.names())
    with site.backup_lock():
        expire(site)
    sets = sorted(before[0] - {one.name for one in site.sets()})
    files = len(before[1] - set(site.archive.names()))
    if site.out.as_json:
        site.out.data({"removed": sets, "wal_files_removed": files})
    site.out.line(f"{len(sets)} sets and {files} files of WAL removed")
    return 0


def _explain(site: Site) -> int:
    """Tell what becomes of each set, and which WAL goes."""
    sets = {one.name: one for one in site.sets()}
    decisions = plan_expiry(site, sets.values())
    floor = floor_of(site, sets.values(), decisions)
    files = old_wal(site, floor) if floor is not None else []
    size = sum(path.stat().st_size for path in files)
    rows = [
        {**asdict(one), "keep": "keep" if one.keep else "remove", "bytes": sets[one.name].size,
         "mb": sets[one.name].size >> 20, "wal": "from it on" if one.wal else "its own"}
        for one in decisions
    ]  # fmt: skip
    if site.out.as_json:
        first = None if floor is None else format_lsn(floor)
        wal = {"before": first, "files": len(files), "bytes": size}
        site.out.data({"sets": rows, "wal_removed": wal})
        return 0
    columns = {"name": "set", "keep": "decision", "why": "why", "mb": "MB", "wal": "WAL kept"}
    site.out.table(
        [row | ({"wal": None} if row["keep"] == "remove" else {}) for row in rows], columns
    )
    if floor is not None:
        site.out.line(f"WAL before {format_lsn(floor)} goes: {len(files)} files, {size >> 20} MB")
    return 0


def run_listbackups(site: Site, _opts: Options) -> int:
    """List the sets and how far recovery reaches."""
    rows = []
    for one in site.sets():
        row = {**asdict(one), "path": str(one.path), "from": None, "until": None, "until_lsn": None}
        row |= {"start": format_lsn(one.start), "stop": format_lsn(one.stop)}
        row["ended"] = when(one.finished) if one.finished else None
        row["state"] += ", kept" if one.pinned and not site.out.as_json else ""
        row["mb"] = one.size >> 20 if one.size else None
        if one.complete and one.stop:
            way = coverages(site, one)[0]
            last = last_commit(site, way)
            row |= {"until": when(last) if last else None, "until_lsn": format_lsn(way.end)}
        rows.append(row)
    columns = {
        "name": "set", "state": "state", "ended": "ended", "mb": "MB", "timeline": "timeline",
        "parent": "based on", "start": "first WAL", "until_lsn": "reaches",
        "until": "last commit", "label": "label",
    }  # fmt: skip
    site.out.table(rows, columns)
    return 0
