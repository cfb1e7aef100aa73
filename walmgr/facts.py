# SPDX-License-Identifier: ISC
"""What is the case: read from servers and files, for `status`, `check` and the metrics."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.walmgr import postgres
from skytools.walmgr.coverage import missing_history, missing_segments
from skytools.walmgr.disk import Disk, look_at_disk
from skytools.walmgr.drill import Drill, last_drill
from skytools.walmgr.files import is_locked, read_json
from skytools.walmgr.node import Node
from skytools.walmgr.offsite import Offsite
from skytools.walmgr.postgres import Server
from skytools.walmgr.sets import RUNNING, BackupSet
from skytools.walmgr.site import Site
from skytools.walmgr.store import CONFLICTS
from skytools.walmgr.wal import SEGMENT, kind_of

RECEIVER_LOCK = ".receiver.lock"
PAUSE_END = "pause.json"

PRIMARY_QUERY = """
select pg_current_wal_flush_lsn()::text as flush, extract(epoch from clock_timestamp()) as now,
    (select array_agg(name order by name) from pg_settings where pending_restart) as restart,
    current_setting('archive_mode') as archive_mode,
    current_setting('synchronous_standby_names') as synchronous,
    current_setting('synchronous_commit') as commits,
    a.archived_count, a.failed_count, extract(epoch from a.last_archived_time) as last_archived,
    extract(epoch from a.last_failed_time) as last_failed, a.last_failed_wal
from pg_stat_archiver a
"""
SLOT_QUERY = """
select active, wal_status, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::int8 as behind,
    safe_wal_size
from pg_replication_slots where slot_name = %s
"""
SENDERS_QUERY = """
select application_name as name, state, sync_state,
    pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn)::int8 as behind
from pg_stat_replication where application_name in ('walmgr_receiver', 'walmgr_standby')
"""
STANDBY_QUERY = """
select pg_is_in_recovery() as in_recovery,
    case when pg_is_in_recovery() then pg_last_wal_receive_lsn()::text end as received,
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text end as replayed,
    case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() end as pause_state,
    (select status from pg_stat_wal_receiver) as stream,
    case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
         else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())
    end as replay_seconds,
    case when pg_is_in_recovery() then greatest(0, pg_wal_lsn_diff(
        pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()))::int8 end as replay_bytes
"""


@dataclass(slots=True)
class Facts:
    """What was found out; a part that does not answer is None, `silence` has why."""

    moment: float
    primary: dict[str, Any] | None = None
    standby: dict[str, Any] | None = None
    slot: dict[str, Any] | None = None
    senders: dict[str, dict[str, Any]] = field(default_factory=dict)
    receiver_runs: bool = False
    archive: dict[str, Any] = field(default_factory=dict)
    sets: list[BackupSet] = field(default_factory=list)
    fullest: str = ""  # of the folders, that on the fullest disk
    disk_free: float = 1.0  # of 1, there
    disk: Disk | None = None
    offsite: dict[str, Any] | None = None
    drill: Drill | None = None
    silence: dict[str, str] = field(default_factory=dict)


def gather(site: Site) -> Facts:
    """Ask everybody. Servers that do not answer are None; raises OSError for the archive."""
    facts = Facts(time.time())
    try:
        facts.primary = _primary(site, facts)
    except SkytoolsError as exc:
        facts.silence["primary"] = str(exc)
    try:
        facts.standby = _standby(site)
    except SkytoolsError as exc:
        facts.silence["standby"] = str(exc)
    facts.receiver_runs = is_locked(site.cfg.home / RECEIVER_LOCK)
    facts.sets = site.sets()
    facts.archive = _archive(site, facts.sets)
    facts.drill = last_drill(site)
    for path in (site.cfg.home, site.cfg.completed, site.cfg.sets.parent):
        if path.is_dir():
            room = os.statvfs(path)
            free = room.f_bavail / max(room.f_blocks, 1)
            facts.fullest, facts.disk_free = min(
                (facts.fullest, facts.disk_free), (str(path), free), key=lambda one: one[1]
            )
    if site.cfg.completed.is_dir() and site.cfg.sets.parent.is_dir():
        facts.disk = look_at_disk(site, facts.sets, facts.moment)
        if site.cfg.offsite_command:
            offsite = Offsite(site)
            facts.offsite = {"finished": offsite.finished, "pending": len(offsite.pending())}
    return facts


def _row(database: Database, query: str, args: tuple[object, ...] = ()) -> dict[str, Any] | None:
    with database.execute(query, args or None) as cursor:
        row = cursor.fetchone()
        names = [column.name for column in cursor.description or ()]
    return None if row is None else dict(zip(names, row, strict=True))


def _server(server: Server) -> dict[str, Any]:
    return {"system_id": server.system_id, "timeline": server.timeline, "major": server.major}


def _primary(site: Site, facts: Facts) -> dict[str, Any]:
    database = site.primary()
    server = postgres.ask_server(database)
    if server.in_recovery:
        return {**_server(server), "in_recovery": True}
    found = {**_server(server), "in_recovery": False, **(_row(database, PRIMARY_QUERY) or {})}
    facts.slot = _row(database, SLOT_QUERY, (site.cfg.slot,))
    for name, state, sync_state, behind in database.query(SENDERS_QUERY):
        facts.senders[name] = {"state": state, "sync_state": sync_state, "behind": behind}
    return found


def _standby(site: Site) -> dict[str, Any] | None:
    database = site.standby()
    if database is None:
        return None
    server = postgres.ask_server(database)
    found = {**_server(server), **(_row(database, STANDBY_QUERY) or {})}
    return {**found, "pause_until": paused_until(site)}


def paused_until(site: Site) -> float | None:
    """Return when a pause of replay ends by itself, None when it has no end."""
    until = read_json(site.cfg.home / PAUSE_END).get("until")
    return None if until is None else float(until)


def _archive(site: Site, sets: list[BackupSet]) -> dict[str, Any]:
    folder = site.cfg.completed
    if not folder.is_dir():
        return {"missing_folder": True}
    names = site.archive.names()
    sizes = [one.segment_size for one in sets if one.complete]
    segments = sorted(name for name in names if kind_of(name) == SEGMENT)
    conflicts = folder / CONFLICTS
    return {
        "system_id": site.archive.identity(),
        "segments": len(segments),
        "newest": max(segments, key=lambda name: (name[8:], name[:8]), default=None),
        # Without a set there is nothing that a gap would end, and nobody tells their size.
        "gaps": missing_segments(segments, max(sizes)) if sizes else [],
        "lost_history": missing_history(names, sets),
        "conflicts": sorted(p.name for p in conflicts.iterdir()) if conflicts.is_dir() else [],
        "stats": site.archive.stats(),
    }


def newest_complete(sets: list[BackupSet]) -> BackupSet | None:
    """Return the newest complete set."""
    complete = [one for one in sets if one.complete]
    return complete[-1] if complete else None


def is_running(sets: list[BackupSet]) -> bool:
    """Whether a set is being made."""
    return bool(being_made(sets))


def being_made(sets: list[BackupSet]) -> str:
    """Say which set is being made, and how far it is; empty for none."""
    running = [one for one in sets if one.state == RUNNING]
    return "; ".join(f"{one.name} is being made {one.progress}".rstrip() for one in running)


def ready_files(node: Node) -> int | None:
    """Return how many files of a local primary wait to be archived, None when out of reach."""
    if node.data is None or not node.host.local:
        return None
    try:
        folder = node.data / "pg_wal" / "archive_status"
        return sum(1 for path in folder.iterdir() if path.suffix == ".ready")
    except OSError:
        return None
