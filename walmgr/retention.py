# SPDX-License-Identifier: ISC
"""Which backup sets stay. Pure: sets and a policy in, one explained decision a set out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

DEFAULT_MINIMUM = 2
_UNITS = {"hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400}
_WINDOW = re.compile(r"(\d+)\s*(hour|day|week|month)s?")
_DAY, _WEEK, _MONTH = "%Y-%m-%d", "week %G-%V", "%B %Y"
_MINIMUM = re.compile(r"minimum\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Policy:
    """`window` in seconds (0: none) that recovery must reach back; `minimum` complete sets.

    Beside these the newest set of each of so many days, weeks and months stays.
    """

    window: float
    minimum: int
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    @classmethod
    def parse(cls, text: str, count: int | None = None, **periods: int) -> Policy:
        """Read "7 days, minimum 2" and keep_backups. Raises ValueError."""
        window, minimum = 0.0, 0
        for part in filter(None, (word.strip().lower() for word in text.split(","))):
            if found := _WINDOW.fullmatch(part):
                window = float(found[1]) * _UNITS[found[2]]
            elif found := _MINIMUM.fullmatch(part):
                minimum = int(found[1])
            else:
                raise ValueError(f"{part!r} is neither like '7 days' nor like 'minimum 2'")
        if count is not None:
            minimum = max(minimum, count, 1)
        elif not text.strip():
            minimum = DEFAULT_MINIMUM
        return cls(window, max(minimum, 1), **periods)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the decision needs to know of a set; `finished` in seconds since 1970."""

    name: str
    complete: bool
    running: bool
    finished: float
    start: int  # first byte of WAL that it needs
    pinned: bool = False
    parent: str = ""
    own_wal: bool = False  # it has all the WAL that it needs itself


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a set, and why.

    `wal`: whether all WAL from it on stays too. `wanted`: for itself, not for sets based on it.
    """

    name: str
    keep: bool
    why: str
    wal: bool = False
    wanted: bool = False


def decide(sets: Iterable[Candidate], policy: Policy, now: float) -> list[Decision]:
    """Decide for every set, oldest first.

    Complete sets are counted only; whatever else happens, `minimum` of them stay.
    """
    ordered = sorted(sets, key=lambda one: (one.finished, one.name))
    complete = [one for one in ordered if one.complete]
    reasons: dict[str, str] = {}
    for one in complete[len(complete) - min(policy.minimum, len(complete)) :]:
        reasons[one.name] = f"one of the newest {policy.minimum}"
    if policy.window:
        _keep_window(complete, now - policy.window, reasons)
    for one in ordered:
        if one.running:
            reasons[one.name] = "being made"
        elif one.pinned:
            reasons[one.name] = "marked to be kept"
    onward = set(reasons)
    for number, period in ((policy.daily, _DAY), (policy.weekly, _WEEK), (policy.monthly, _MONTH)):
        _keep_newest_of(complete, number, period, reasons)
    wanted = set(reasons)
    _keep_parents(ordered, reasons)
    return [
        Decision(
            one.name, one.name in reasons, reasons.get(one.name) or _why_not(one),
            one.name in onward or (one.name in reasons and not one.own_wal),
            one.name in wanted,
        )
        for one in ordered
    ]  # fmt: skip


def _keep_window(complete: Sequence[Candidate], begin: float, reasons: dict[str, str]) -> None:
    """Keep what ended inside the window, and the one before: recovery starts from there."""
    for one in complete:
        if one.finished > begin:
            reasons.setdefault(one.name, "inside the window")
    before = [one for one in complete if one.finished <= begin]
    if before:
        reasons.setdefault(before[-1].name, "needed to reach the beginning of the window")


def _keep_newest_of(
    complete: Sequence[Candidate], number: int, period: str, reasons: dict[str, str]
) -> None:
    """Keep the newest set of each of the last `number` periods (UTC) that have one."""
    newest = {datetime.fromtimestamp(one.finished, UTC).strftime(period): one for one in complete}
    for told, one in list(newest.items())[len(newest) - min(number, len(newest)) :]:
        reasons.setdefault(one.name, f"the newest of {told}")


def _keep_parents(ordered: Sequence[Candidate], reasons: dict[str, str]) -> None:
    by_name = {one.name: one for one in ordered}
    for name in list(reasons):
        child = name
        while (one := by_name.get(child)) is not None and one.parent:
            reasons.setdefault(one.parent, f"{child} is based on it")
            child = one.parent


def _why_not(one: Candidate) -> str:
    return "older than asked for" if one.complete else "not complete"


def wal_floor(sets: Iterable[Candidate], keep: Iterable[str]) -> int | None:
    """Return the first byte of WAL that these sets need, if complete; None: delete nothing.

    Replay only moves forward, on whatever timeline, so bytes before it are of no use.
    """
    kept = set(keep)
    starts = [one.start for one in sets if one.complete and one.name in kept]
    return min(starts, default=None)
