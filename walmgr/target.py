# SPDX-License-Identifier: ISC
"""What recovery is to reach, and the set from which it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from skytools.core.errors import UsageError
from skytools.walmgr.coverage import Coverage, coverages, last_commit, missing_history, scanner_of
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.points import Ledger
from skytools.walmgr.sets import BackupSet
from skytools.walmgr.site import Site
from skytools.walmgr.wal import WalError, format_lsn, parse_lsn

LATEST, IMMEDIATE, TIME, LSN, XID, NAME = "latest", "immediate", "time", "lsn", "xid", "name"


_WRITTEN = {
    TIME: "is no time such as '2026-11-22 13:00:00+00'",
    XID: "a transaction id is a number between 3 and 4294967295",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A point in the life of a server. `value` as PostgreSQL takes it."""

    kind: str = LATEST
    value: str = ""
    inclusive: bool = True
    timeline: int | None = None
    action: str = "promote"

    @classmethod
    def parse(cls, kind: str, value: str, **options: object) -> Target:
        """Check a target of the command line. Raises UsageError."""
        try:
            if kind == TIME:
                value = _utc(value)
            elif kind == LSN:
                value = format_lsn(parse_lsn(value))
            elif kind == XID and not 3 <= int(value) < 1 << 32:
                raise ValueError
        except (ValueError, OverflowError, WalError) as exc:
            raise UsageError(f"--{kind} {value}: {_WRITTEN.get(kind, exc)}") from exc
        return cls(kind, value, **options)  # type: ignore[arg-type]

    def __str__(self) -> str:
        if not self.value:
            return {LATEST: "the end of WAL", IMMEDIATE: "the end of the backup"}[self.kind]
        return f"{'point' if self.kind == NAME else self.kind} {self.value}"

    def settings(self, timeline: int) -> dict[str, str]:
        """Return the server settings that stop recovery there."""
        found = {"recovery_target_timeline": str(timeline)}
        if self.kind == LATEST:
            return found
        found["recovery_target_action"] = self.action
        if self.kind == IMMEDIATE:
            return {**found, "recovery_target": "immediate"}
        if self.kind in (TIME, LSN, XID) and not self.inclusive:
            found["recovery_target_inclusive"] = "off"
        return {**found, f"recovery_target_{self.kind}": self.value}


def _utc(text: str) -> str:
    """Return a time with its zone; one without is local time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def choose(site: Site, target: Target, sets: list[BackupSet]) -> Coverage:
    """Return the newest set that ends before the target and reaches it, by the newest timeline.

    A set that ends after that timeline began is not on its way, however new it is. Raises
    RefusedError with what can be reached, UsageError without any complete set.
    """
    complete = [one for one in sets if one.complete]
    if not complete:
        raise UsageError(f"there is no complete backup set in {site.cfg.sets.parent}")
    lost = missing_history(site.archive.names(), complete)
    if lost and target.timeline is None:
        raise RefusedError(
            f"{lost} is missing in the archive, which has WAL of timeline {int(lost[:8], 16)}: "
            "bring it there from a server's pg_wal, or choose another way by --timeline"
        )
    ways = [way for one in reversed(complete) for way in _ways(site, one, target)]
    ways.sort(key=lambda way: way.history.timeline, reverse=True)
    reaches = _REACHES[target.kind]
    for way in ways:
        if reaches(site, target, way):
            return way
    where = f" on timeline {target.timeline}" if target.timeline is not None else ""
    lines = [f"{target}{where} cannot be reached. Reachable is:"]
    ways = ways or [way for one in reversed(complete) for way in coverages(site, one)]
    lines += [f"  {way.describe(last_commit(site, way))}" for way in reversed(ways)]
    if target.kind == NAME:
        lines.append(f"  points: {', '.join(one.name for one in Ledger(site).ordered()) or 'none'}")
    raise RefusedError("\n".join(lines))


def _ways(site: Site, one: BackupSet, target: Target) -> list[Coverage]:
    """Return where a set leads: to the newest timeline unless another is asked for."""
    found = coverages(site, one)
    if target.timeline is None:
        return found[:1]
    return [way for way in found if way.history.timeline == target.timeline]


def _always(_site: Site, _target: Target, _way: Coverage) -> bool:
    return True


def _reaches_lsn(_site: Site, target: Target, way: Coverage) -> bool:
    return way.one.stop <= parse_lsn(target.value) <= way.end


def _reaches_time(site: Site, target: Target, way: Coverage) -> bool:
    """Whether a transaction ends at or after the time: only then PostgreSQL stops there."""
    wanted = datetime.fromisoformat(target.value).timestamp()
    if wanted < way.one.finished:
        return False
    last = last_commit(site, way)
    return last is not None and wanted <= last


def _reaches_xid(site: Site, target: Target, way: Coverage) -> bool:
    end = scanner_of(site, way).end_of_transaction(way.segments, int(target.value))
    return end is not None and end >= way.one.stop


def _reaches_name(site: Site, target: Target, way: Coverage) -> bool:
    """Whether there is such a point; PostgreSQL stops at the first, so there must be one only."""
    points = Ledger(site).find(scanner_of(site, way), way.segments)
    found = [one for one in points if one.name == target.value and one.lsn >= way.one.stop]
    if len(found) > 1:
        places = ", ".join(format_lsn(one.lsn) for one in found)
        raise RefusedError(f"restore point {target.value} is there twice, at {places}: use --lsn")
    return bool(found)


_REACHES: dict[str, Callable[[Site, Target, Coverage], bool]] = {
    LATEST: _always,
    IMMEDIATE: _always,
    TIME: _reaches_time,
    LSN: _reaches_lsn,
    XID: _reaches_xid,
    NAME: _reaches_name,
}
