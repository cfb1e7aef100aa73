# SPDX-License-Identifier: ISC
"""Findings from facts: each with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skytools.walmgr.check import CRITICAL, WARNING, Finding, check
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.disk import Disk
from skytools.walmgr.drill import Drill
from skytools.walmgr.facts import Facts
from skytools.walmgr.sets import VERIFIED, BackupSet

NOW = 1_800_000_000.0
CFG = WalmgrConfig(keep_backups=1)


def facts(**changes: Any) -> Facts:
    """Return facts of a site where all is well, but for the changes (part__key=value)."""
    good = Facts(
        NOW,
        primary={
            "system_id": 5, "timeline": 1, "in_recovery": False, "restart": None, "now": NOW,
            "last_failed": None, "last_archived": NOW, "last_failed_wal": None,
        },
        standby={
            "system_id": 5, "timeline": 1, "in_recovery": True, "stream": "streaming",
            "pause_state": "not paused", "replay_seconds": 0.2,
        },
        slot={"active": True, "wal_status": "reserved", "behind": 100, "safe_wal_size": 10**9},
        receiver_runs=True,
        archive={"system_id": 5, "gaps": [], "conflicts": []},
        sets=[BackupSet("s", Path("/s"), state=VERIFIED, finished=NOW - 3600)],
    )  # fmt: skip
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            getattr(good, part)[key] = value
        else:
            setattr(good, part, value)
    return good


def test_nothing_is_said_when_all_is_well() -> None:
    assert check(CFG, facts()) == []
    assert check(CFG, facts(disk=Disk(1, 1, 1.0, None))) == []
    assert check(CFG, facts(disk=Disk(1, 1, 1.0, 7 * 86400 + 1))) == []
    assert check(CFG, facts(disk_free=0.101)) == []
    assert check(CFG, facts(drill=Drill(NOW - 10**6, good=True))) == []


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"primary": None}, CRITICAL, "the primary does not answer"),
        ({"primary__in_recovery": True}, CRITICAL, "is a standby"),
        ({"primary__restart": ["archive_mode"]}, WARNING, "needs a restart for archive_mode"),
        ({"primary__now": NOW - 60}, WARNING, "the primary's clock is 60 s behind this host's"),
        ({"archive__lost_history": "00000004.history"}, CRITICAL, "00000004.history is missing"),
        ({"archive__system_id": 6}, CRITICAL, "the archive is of another cluster (6)"),
        ({"standby": None}, CRITICAL, "the standby does not answer"),
        ({"standby__in_recovery": False}, CRITICAL, "no standby any more"),
        ({"standby__system_id": 6}, CRITICAL, "the standby is of another cluster"),
        ({"standby__stream": None}, WARNING, "does not stream"),
        ({"standby__pause_state": "paused"}, WARNING, "is paused"),
        (
            {"standby__pause_state": "paused", "standby__pause_until": NOW},
            WARNING,
            "is paused until 2027-01-15 08:00",
        ),
        ({"standby__replay_seconds": 900}, WARNING, "900 s behind"),
        ({"receiver_runs": False}, CRITICAL, "the receiver does not run"),
        ({"slot": None}, CRITICAL, "the replication slot is missing"),
        ({"slot__wal_status": "lost"}, CRITICAL, "the replication slot is lost"),
        ({"slot__behind": 10**10}, WARNING, "the slot holds back 9536 MB of at most 10490 MB"),
        ({"archive": {"missing_folder": True}}, CRITICAL, "folder is missing"),
        ({"archive__gaps": ["x", "y"]}, CRITICAL, "2 gaps, first x"),
        ({"archive__conflicts": ["x"]}, CRITICAL, "1 files were refused, first x"),
        ({"primary__last_failed": NOW + 1}, WARNING, "archive_command fails"),
        ({"sets": []}, CRITICAL, "no complete backup set"),
        ({"disk_free": 0.099, "fullest": "/srv"}, WARNING, "10% of the disk of /srv is free"),
        ({"disk_free": 0.031}, WARNING, "3% of"),
        ({"disk_free": 0.029}, CRITICAL, "3% of"),
        ({"drill": Drill(NOW, good=False, text="no disk")}, CRITICAL, "failed: no disk"),
        ({"disk": Disk(1, 1, 1.0, 3 * 86400)}, WARNING, "will be full in 72 h"),
        ({"disk": Disk(1, 1, 1.0, 3600)}, CRITICAL, "will be full in 1 h"),
    ],
)
def test_each_fault_is_found_with_its_remedy(
    changes: dict[str, Any], level: int, text: str
) -> None:
    found = check(CFG, facts(**changes))
    matching = [one for one in found if text in one.text]
    assert [one.level for one in matching] == [level], found
    assert all(one.remedy for one in found)
    assert found == sorted(found, key=lambda one: -one.level)


def test_an_offsite_copy_that_is_late_is_found() -> None:
    cfg = WalmgrConfig(keep_backups=1, offsite_interval=10)
    late = {"finished": NOW - 1201, "pending": 7}
    (found,) = check(cfg, facts(offsite=late))
    assert (found.level, "7 files are not there" in found.text) == (WARNING, True)
    (never,) = check(cfg, facts(offsite={**late, "finished": None}))
    assert never.level == WARNING
    assert check(cfg, facts(offsite={**late, "finished": NOW - 1199})) == []
    assert check(CFG, facts(offsite=late)) == []


def test_a_standby_that_lets_us_not_in_is_not_to_be_made_anew() -> None:
    why = 'FATAL:  Peer authentication failed for user "walmgr"'
    (found,) = check(CFG, facts(standby=None, silence={"standby": why}))
    assert "set slave_db" in found.remedy
    (found,) = check(CFG, facts(standby=None, silence={"standby": "Connection refused"}))
    assert "`restore` makes it anew" in found.remedy


def test_a_trial_that_is_late_is_found() -> None:
    cfg = WalmgrConfig(keep_backups=1, drill_interval=24)
    assert check(cfg, facts(drill=Drill(NOW - 47 * 3600, good=True))) == []
    (found,) = check(cfg, facts(drill=Drill(NOW - 49 * 3600, good=True)))
    assert (found.level, found.text) == (WARNING, "the last trial restore was 49 h ago")


def test_commits_never_wait_for_a_receiver_to_apply() -> None:
    remote = facts(primary__commits="remote_apply")
    assert check(CFG, remote) == []
    (found,) = check(WalmgrConfig(keep_backups=1, synchronous="on"), remote)
    assert (found.level, "remote_apply would wait for ever" in found.text) == (CRITICAL, True)


def test_too_few_and_too_old_sets_are_found() -> None:
    old = facts(sets=[BackupSet("s", Path("/s"), state=VERIFIED, finished=NOW - 9 * 86400)])
    texts = [one.text for one in check(WalmgrConfig(keep_backups=2), old)]
    assert texts == [
        "1 of 2 backup sets that are asked for", "the newest backup set is 216 h old",
    ]  # fmt: skip


def test_a_finding_reads_as_one_line() -> None:
    assert str(Finding(WARNING, "something is odd", "look")) == "WARNING: something is odd; look"
