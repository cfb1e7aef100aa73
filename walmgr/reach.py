# SPDX-License-Identifier: ISC
"""The verbs `point` and `points`: marking a moment, and telling what recovery can reach."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from skytools.core.errors import UsageError
from skytools.walmgr.coverage import Coverage, coverages, last_commit, scanner_of, when
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.facts import RECEIVER_LOCK
from skytools.walmgr.files import is_locked
from skytools.walmgr.old import wait_received
from skytools.walmgr.points import RECORD, Ledger, Point
from skytools.walmgr.site import Site
from skytools.walmgr.wal import format_lsn, parse_lsn

MAX_NAME = 63  # bytes
MAKE = """
select pg_create_restore_point(%s)::text, extract(epoch from clock_timestamp()),
    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
"""


def make_point(site: Site, name: str) -> Point:
    """Make a restore point on the primary and see that its WAL comes here. Raises SkytoolsError."""
    ledger = _require_new(site, name)
    database = site.primary()
    row = database.query_one(MAKE, [name])
    assert row is not None
    point = Point(name, parse_lsn(row[0]) - RECORD, row[2], float(row[1]))
    ledger.add(point)
    ledger.save()
    if is_locked(site.cfg.home / RECEIVER_LOCK):
        wait_received(database)
    else:
        # Nothing streams: only a whole segment is archived.
        database.execute("select pg_switch_wal()")
    return point


def plan_point(site: Site, opts: argparse.Namespace) -> list[str]:
    """Say what `point` would do. Raises UsageError, RefusedError."""
    _require_new(site, opts.name)
    return [f"pg_create_restore_point({opts.name!r}) on the primary, wait for its WAL"]


def _require_new(site: Site, name: str) -> Ledger:
    """Return the points that are known. Raises UsageError, RefusedError for one of that name."""
    if not name.isprintable() or name != name.strip() or not 0 < len(name.encode()) <= MAX_NAME:
        raise UsageError(f"{name!r}: a restore point's name has 1 to {MAX_NAME} printable bytes")
    ledger = Ledger(site)
    if any(one.name == name for one in ledger.points):
        raise RefusedError(
            f"there is a restore point {name!r} already: recovery stops at the first"
        )
    return ledger


def point_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `point` takes."""
    p.add_argument("name", help="what `restore --point` will ask for")


def run_point(site: Site, opts: argparse.Namespace) -> int:
    """Make a restore point."""
    point = make_point(site, opts.name)
    if site.out.as_json:
        site.out.data(_row(point))
    site.out.line(f"restore point {point.name} is at {format_lsn(point.lsn)}")
    return 0


def points_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `points` takes."""
    p.add_argument("--scan", action="store_true", help="look through the WAL for restore points "
                   "that were made without walmgr; each segment is read once")  # fmt: skip


def run_points(site: Site, opts: argparse.Namespace) -> int:
    """List what recovery can reach: the window of each set and timeline, and the named points."""
    site.require_folders()
    ways = [way for one in site.sets() if one.complete and one.stop for way in coverages(site, one)]
    ledger = Ledger(site)
    if opts.scan and not opts.plan:
        for way in ways:
            ledger.find(scanner_of(site, way), way.segments)
    left = {segment.name for way in ways for segment in ledger.unread(way.segments)}
    windows = [_window(site, way) for way in ways]
    points = [_row(one) | {"from": _best(ways, one)} for one in ledger.ordered()]
    if site.out.as_json:
        site.out.data({"windows": windows, "points": points, "segments_not_read": len(left)})
        return 0
    site.out.table(windows, {
        "set": "set", "timeline": "timeline", "begin": "reaches from", "begin_lsn": "LSN",
        "end": "last commit", "end_lsn": "LSN",
    })  # fmt: skip
    site.out.line()
    columns = {"name": "point", "made": "made", "lsn": "LSN", "timeline": "timeline"}
    site.out.table(points, {**columns, "from": "reached from"})
    if left:
        site.out.line(
            f"{len(left)} segments may have points made without walmgr: --scan reads them"
        )
    return 0


def _window(site: Site, way: Coverage) -> dict[str, object]:
    last = last_commit(site, way)
    return {
        "set": way.one.name, "timeline": way.history.timeline,
        "begin": when(way.one.finished), "begin_lsn": format_lsn(way.one.stop),
        "end": None if last is None else when(last), "end_lsn": format_lsn(way.end),
    }  # fmt: skip


def _row(point: Point) -> dict[str, object]:
    made = None if point.time is None else when(point.time)
    return {**asdict(point), "made": made, "lsn": format_lsn(point.lsn)}


def _best(ways: Sequence[Coverage], point: Point) -> str | None:
    """Return the newest set from which recovery comes by a point, None when none does."""
    found = [way.one.name for way in ways if way.reaches(point.timeline, point.lsn)]
    return found[-1] if found else None
