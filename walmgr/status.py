# SPDX-License-Identifier: ISC
"""The verb `status` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skytools.walmgr.coverage import when
from skytools.walmgr.disk import Disk
from skytools.walmgr.drill import Drill
from skytools.walmgr.facts import Facts, being_made, newest_complete
from skytools.walmgr.site import Site


def status_lines(site: Site, facts: Facts) -> Iterator[str]:
    """Yield one line for each part."""
    yield f"primary   {site.leader.name}: {_primary(facts)}"
    yield f"standby   {site.follower.name}: {_standby(facts)}"
    yield f"receiver  {_receiver(facts)}"
    yield f"archive   {_archive(facts)}"
    yield f"sets      {_sets(facts)}"
    if facts.drill is not None:
        yield f"drill     {_drill(facts.drill)}"
    if facts.disk is not None:
        yield f"disk      {_disk(facts.disk)}"
    if facts.offsite is not None:
        last = facts.offsite["finished"]
        told = f"last {when(last)}" if last else "never"
        yield f"off-site  {told}, {facts.offsite['pending']} files are not there"


def _silent(facts: Facts, role: str) -> str:
    why = facts.silence.get(role)
    return f"does not answer: {why}" if why else "does not answer"


def _primary(facts: Facts) -> str:
    primary = facts.primary
    if primary is None:
        return _silent(facts, "primary")
    if primary["in_recovery"]:
        return "is a standby"
    mode = f", synchronous {primary['synchronous']}" if primary["synchronous"] else ""
    return f"timeline {primary['timeline']}, at {primary['flush']}{mode}"


def _standby(facts: Facts) -> str:
    standby = facts.standby
    if standby is None:
        return _silent(facts, "standby")
    if not standby["in_recovery"]:
        return f"is a primary, timeline {standby['timeline']}"
    lost = _lost(facts.senders.get("walmgr_standby", {}))
    end = standby.get("pause_until")
    pause = standby["pause_state"] + (f" until {when(end)}" if end else "")
    return (
        f"{standby['stream'] or 'does not stream'}, {pause}, replayed "
        f"{standby['replayed']}, {float(standby['replay_seconds'] or 0):.1f} s behind{lost}"
    )


def _receiver(facts: Facts) -> str:
    if not facts.receiver_runs:
        return "does not run"
    sender = facts.senders.get("walmgr_receiver")
    if sender is None:
        return "runs, not connected"
    return f"{sender['state']}, {sender['sync_state']}{_lost(sender)}"


def _lost(sender: Mapping[str, Any]) -> str:
    """Return what is lost if the primary is; nobody knows it of one that has just connected."""
    behind = sender.get("behind")
    return "" if behind is None else f"; {behind} bytes are not there yet"


def _archive(facts: Facts) -> str:
    archive = facts.archive
    if archive.get("missing_folder"):
        return "folder is missing"
    gaps = f"{len(archive['gaps'])} gaps" if archive["gaps"] else "no gap"
    if not archive["segments"]:
        return "no segment yet"
    return f"{archive['segments']} segments, newest {archive['newest']}, {gaps}"


def _disk(disk: Disk) -> str:
    after = disk.full_after
    full = "will not be full" if after is None else f"will be full in {after / 3600:.0f} h"
    return (
        f"{disk.free >> 20} MB free, archive {disk.archive >> 20} MB, WAL grows "
        f"{disk.rate * 86400 / 2**20:.0f} MB a day; {full}"
    )


def _drill(drill: Drill) -> str:
    if not drill.good:
        return f"failed at {when(drill.moment)}: {drill.text}"
    return f"{drill.set} at {when(drill.moment)}: answered after {drill.seconds:.1f} s"


def _sets(facts: Facts) -> str:
    newest = newest_complete(facts.sets)
    told = "none complete"
    if newest is not None:
        count = sum(one.complete for one in facts.sets)
        told = f"{count} complete, newest {newest.name} ended {when(newest.finished)}"
    return "; ".join(filter(None, (told, being_made(facts.sets))))
