# SPDX-License-Identifier: ISC
"""The verbs `boot` and `switchover`: the standby becomes the primary, with the last commit."""

from __future__ import annotations

import tempfile
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, TransientError
from skytools.walmgr import postgres, units
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.files import locked
from skytools.walmgr.node import Node
from skytools.walmgr.receiver import clear_partials, collect, receiver_off
from skytools.walmgr.rejoin import rejoin
from skytools.walmgr.salvage import SCRATCH, Position, Salvage, admit_from, sweep
from skytools.walmgr.server import wait_until
from skytools.walmgr.site import Site
from skytools.walmgr.store import ConflictError
from skytools.walmgr.wal import Segment, format_lsn, parse_lsn

REPLAY_TIMEOUT = 3600.0
DRAIN_TIMEOUT = 10.0
SEGMENT_NAME = 24
CURRENT_TIMELINE = (
    "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion has achieved."""

    leader: str
    timeline: int
    standby_had: str
    recovered_to: str
    salvaged_bytes: int
    last_commit: str | None
    seconds: float


def boot(site: Site, *, force: bool) -> Promotion:
    """Promote the standby after its primary died. Raises RefusedError while that still lives.

    One that was killed is finished by the next.
    """
    with locked(site.cfg.home / ".boot.lock", "another promotion"):
        _require_silence(site, force=force)
        sweep(site)
        standby = site.answering_standby()
        if standby is not None and not standby.value("select pg_is_in_recovery()"):
            return _finish(site, standby, force=force)
        standby = _standby(site)
        _require_dead(site, site.leader, force=force)
        return _take_over(site, standby)


def plan_boot(site: Site, *, force: bool) -> list[str]:
    """Say what `boot` would do; touches nothing. Raises RefusedError as it would."""
    _require_silence(site, force=force)
    old, new = site.leader, site.follower
    standby = site.answering_standby()
    begun = standby is not None and not standby.value("select pg_is_in_recovery()")
    if not begun:
        _standby(site)
    stop = [f"stop {old.name}, which still runs"] if _still_runs(site, old, force=force) else []
    take = [
        f"stop the receiver, fetch what {old.name} still has in its pg_wal",
        f"replay on {new.name} up to the furthest valid position, promote it",
    ]
    last = f"the old timeline's end into the archive, the receiver follows {new.name}"
    return [*stop, *([f"{new.name} is promoted already"] if begun else take), last]


def _require_silence(site: Site, *, force: bool) -> None:
    if site.primary_answers() is not None and not force:
        name = site.leader.name
        raise RefusedError(f"the primary {name} answers: use `switchover`; --force stops it")


def _finish(site: Site, database: Database, *, force: bool) -> Promotion:
    """Do what is left to do after a promotion. Raises RefusedError when that was none of ours."""
    began = time.monotonic()
    server = postgres.ask_server(database)
    timeline = int(database.value(CURRENT_TIMELINE))
    if timeline == 1 or site.archive.identity() != server.system_id:
        raise RefusedError(f"the server on {site.follower.data} is no standby: it is a primary")
    _require_dead(site, site.leader, force=force)
    with receiver_off(site):
        _collect(site)
        position = _settle(site, database, timeline)
    at = format_lsn(position)
    return Promotion(site.leader.name, timeline, at, at, 0, None, time.monotonic() - began)


def switchover(site: Site) -> Promotion:
    """Change the roles of two working servers; nothing is lost, the old primary follows.

    Raises RefusedError before anything is touched when one of them is not fit.
    """
    with locked(site.cfg.home / ".boot.lock", "another promotion"):
        leader = site.leader
        major = _require_pair(site, leader)
        site.primary().execute("checkpoint")
        site.close()
        stop_node(leader, major)
        site.say(f"{leader.name} is stopped")
        promotion = _take_over(site, _standby(site), clean=True)
    rejoin(site, force=False)
    return promotion


def plan_switchover(site: Site) -> list[str]:
    """Say what `switchover` would do; touches nothing. Raises RefusedError as it would."""
    old, new = site.leader, site.follower
    _require_pair(site, old)
    return [
        f"stop {old.name} in order",
        f"promote {new.name} when it has replayed the last record",
        f"start {old.name} as its standby",
    ]


def _require_pair(site: Site, leader: Node) -> int:
    """Return the version of two servers that work. Raises RefusedError when one is not fit."""
    standby = _standby(site)
    if site.primary_answers() is None:
        raise RefusedError("the primary does not answer: `boot` promotes the standby")
    if not standby.value("select true from pg_stat_wal_receiver where status = 'streaming'"):
        raise RefusedError("the standby does not stream from the primary: see `check`")
    major = leader.major()
    if major is None:
        raise RefusedError(f"{leader.name}_data cannot be reached: it could not be stopped")
    return major


def stop_node(node: Node, major: int, mode: str = "fast") -> None:
    """Stop a server on its host. Raises ProgramError."""
    program = node.programs(major).path("pg_ctl")
    units.stop(node.host, program, node.folder, mode)


def _standby(site: Site) -> Database:
    """Return the standby's connection. Raises RefusedError when it cannot be promoted."""
    standby = site.answering_standby()
    if standby is None:
        raise RefusedError(f"the standby {site.follower.data} does not answer: start it first")
    if not standby.value("select pg_is_in_recovery()"):
        raise RefusedError(f"the server on {site.follower.data} is no standby: it is a primary")
    return standby


def _require_dead(site: Site, leader: Node, *, force: bool) -> None:
    """Make sure that nobody writes to the old primary any more. Raises RefusedError."""
    if _still_runs(site, leader, force=force):
        site.close()
        stop_node(leader, leader.major() or 0, "immediate")


def _still_runs(site: Site, leader: Node, *, force: bool) -> bool:
    """Whether the old primary must be stopped. Raises RefusedError unless that is asked for."""
    try:
        alive = leader.running()
    except ProgramError as exc:
        site.say(f"{leader.name}: its host cannot be asked ({exc}); make sure that it stays off")
        return False
    if alive and not force:
        text = f"{leader.name}: a server still runs on {leader.data}"
        raise RefusedError(f"{text}, it only does not answer: `--force` stops it")
    return alive


def _position(site: Site, standby: Database) -> Position:
    server = postgres.ask_server(standby)
    row = standby.query_one(
        "select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text,"
        " coalesce((select received_tli from pg_stat_wal_receiver), 0)"
    )
    assert row is not None
    received = parse_lsn(row[0])
    timelines = [row[1], server.timeline, *_timelines_at(site, received, server.segment_size)]
    return Position(max(timelines), received, server.segment_size)


def _timelines_at(site: Site, position: int, size: int) -> list[int]:
    """Return the timelines of the standby's own files that hold the byte before `position`.

    No function tells which one it replays, and the control file learns it late.
    """
    number = max(position - 1, 0) // size
    segments = _segments(site.follower, size)
    return [segment.timeline for segment in segments if segment.number == number]


def _segments(node: Node, size: int) -> list[Segment]:
    names = [name for name in node.wal_names() if len(name) == SEGMENT_NAME]
    return [Segment.parse(name, size) for name in names]


def _take_over(site: Site, standby: Database, *, clean: bool = False) -> Promotion:
    began = time.monotonic()
    old = site.leader
    if clean:
        _drain(site, standby, old)
    with receiver_off(site):
        _collect(site)
        at = _position(site, standby)
        salvage = Salvage(site, site.programs(postgres.ask_server(standby).major), at)
        try:
            salvage.gather(old)
            end = salvage.valid_end()
            salvage.require_reach(max(end, at.received))
            if end > at.received:
                site.say(f"standby has {format_lsn(at.received)}, others {format_lsn(end)}")
            with salvage.serve(end) if end > at.received else nullcontext():
                _replay(standby, end)
                last = standby.value("select pg_last_xact_replay_timestamp()::text")
                _promote(standby)
        finally:
            salvage.close()
        timeline = int(standby.value(CURRENT_TIMELINE))
        _settle(site, standby, timeline)
    return Promotion(
        site.leader.name, timeline, format_lsn(at.received), format_lsn(end),
        max(end - at.received, 0), last, time.monotonic() - began,
    )  # fmt: skip


def _collect(site: Site) -> None:
    """Take what the receiver has into the archive. Raises WalError, OSError.

    A conflict is no reason to have no primary: both files are kept, and it is for `check` to tell.
    """
    try:
        collect(site)
    except ConflictError as exc:
        site.say(str(exc))


def _drain(site: Site, standby: Database, old: Node) -> None:
    """Wait until the standby has the stopped primary's last record. Raises SkytoolsError."""
    control = old.control()
    if control is None or not control.clean:
        raise SkytoolsError(f"{old.name} was not shut down in order: start it again")
    query = "select pg_last_wal_replay_lsn() > %s::pg_lsn"
    position = format_lsn(control.checkpoint)
    # What did not come by the stream is salvaged from its disk.
    with suppress(TransientError):
        wait_until(lambda: bool(standby.value(query, [position])), "the last record", DRAIN_TIMEOUT)


def _replay(standby: Database, end: int) -> None:
    """Let the standby replay up to `end`, paused or delayed as it may be."""
    standby.execute("alter system reset recovery_min_apply_delay")
    standby.execute("select pg_reload_conf()")
    if standby.value("select pg_get_wal_replay_pause_state()") != "not paused":
        standby.execute("select pg_wal_replay_resume()")
    query = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
    target = format_lsn(end)
    what = f"replay up to {target}; nothing is promoted, repeat when the standby works"
    wait_until(lambda: bool(standby.value(query, [target])), what, REPLAY_TIMEOUT)


def _promote(standby: Database) -> None:
    if not standby.value("select pg_promote(true, 300)"):
        raise SkytoolsError("the server did not become a primary within 300 s; see its log")


def _settle(site: Site, database: Database, timeline: int) -> int:
    """Close the hole in the archive, let the receiver follow the new primary.

    Returns where the old timeline was left. Can be repeated.
    """
    size = postgres.ask_server(database).segment_size
    node = site.follower
    # The control file tells the new timeline, by which pg_rewind goes, from a checkpoint on.
    database.execute("checkpoint")
    # A timeline's first segment is what a standby needs to come over; while it is unfinished only
    # this server has it, and the next promotion would take it away.
    first = str(database.value("select pg_walfile_name(pg_switch_wal())"))
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=site.cfg.home) as folder:
        scratch = Path(folder)
        admit_from(site, node, f"{timeline:08X}.history", scratch)
        parent, switched = site.archive.history(timeline).switches[-1]
        left = [s for s in _segments(node, size) if s.timeline == parent and s.end <= switched]
        for name in [*(segment.name for segment in left), first]:
            if site.archive.find(name) is None:
                admit_from(site, node, name, scratch)
    ensure_slot(site, database)
    clear_partials(site, timeline)
    # Nothing is left to do after this: the next `boot` is refused.
    site.lead(site.follower)
    return switched


def ensure_slot(site: Site, database: Database) -> None:
    """Make the receiver's slot on a server unless it is there."""
    slot = site.cfg.slot
    if database.value("select true from pg_replication_slots where slot_name = %s", [slot]):
        return
    database.execute("select pg_create_physical_replication_slot(%s, true)", [slot])
