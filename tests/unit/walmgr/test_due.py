# SPDX-License-Identifier: ISC
"""What the service starts by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.daemon import due_verbs
from skytools.walmgr.drill import Drill
from skytools.walmgr.facts import Facts
from skytools.walmgr.sets import VERIFIED, BackupSet

NOW = 1_800_000_000.0
CFG = WalmgrConfig(backup_interval=24, drill_interval=24, offsite_interval=10)
OLD = BackupSet("s", Path("/s"), state=VERIFIED, finished=NOW - 25 * 3600)


def due(cfg: WalmgrConfig = CFG, drill: Drill | None = None, **facts: object) -> list[str]:
    primary = {"in_recovery": False}
    return due_verbs(cfg, Facts(NOW, **{"primary": primary, "sets": [OLD], **facts}), drill)


def test_what_is_due_is_started_backups_first() -> None:
    late = {"finished": NOW - 601, "pending": 3}
    assert due(offsite=late) == ["backup", "drill", "offsite"]
    assert due(offsite={**late, "finished": None}) == ["backup", "drill", "offsite"]
    assert due(offsite={**late, "finished": NOW - 599}) == ["backup", "drill"]
    new = replace(OLD, finished=NOW - 3600)
    assert due(drill=Drill(NOW - 60, good=True), sets=[new]) == []
    assert due(sets=[new]) == ["drill"]
    assert due(sets=[replace(OLD, finished=NOW - 3500)]) == []
    assert due(WalmgrConfig(), offsite=late) == []


def test_without_the_primary_what_is_here_is_still_copied() -> None:
    late = {"finished": NOW - 601, "pending": 3}
    assert due(primary=None, offsite=late) == ["offsite"]
    assert due(primary={"in_recovery": True}, offsite=late) == ["offsite"]
