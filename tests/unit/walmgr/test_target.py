# SPDX-License-Identifier: ISC
"""Which set a restore begins from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skytools.core.errors import UsageError
from skytools.walmgr.sets import VERIFIED, BackupSet
from skytools.walmgr.store import Archive
from skytools.walmgr.target import Target, choose
from skytools.walmgr.wal import Segment
from tests.unit.walmgr.segments import SIZE, write


def test_a_newer_set_off_the_newest_timeline_is_not_taken(tmp_path: Path) -> None:
    """It ended on the old primary, after the point from which the standby was promoted."""
    archive = Archive(str(tmp_path / "complete"))
    Path(archive.path).mkdir()
    for timeline, first in ((1, 1), (2, 3)):
        for number in range(first, 7):
            path = write(tmp_path, Segment(timeline, number, SIZE))
            archive.admit(str(path), path.name)
    history = tmp_path / "00000002.history"
    history.write_text("1\t0/300028\tno recovery target specified\n")
    archive.admit(str(history), history.name)

    def a_set(name: str, number: int) -> BackupSet:
        return BackupSet(
            name, tmp_path / name, state=VERIFIED, finished=number, timeline=1, segment_size=SIZE,
            start=number * SIZE, stop=number * SIZE + 100,
        )  # fmt: skip

    early, late = a_set("early", 2), a_set("late", 5)
    site: Any = SimpleNamespace(archive=archive, cfg=SimpleNamespace(partials=tmp_path / "partial"))
    way = choose(site, Target(), [early, late])
    assert (way.one.name, way.history.timeline, way.end) == ("early", 2, 7 * SIZE)
    way = choose(site, Target(timeline=1), [early, late])
    assert (way.one.name, way.history.timeline) == ("late", 1)
    way = choose(site, Target(), [late])
    assert (way.one.name, way.history.timeline) == ("late", 1)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("time", "0001-01-01 00:00:00+14"), ("time", "noon"), ("xid", "2"), ("lsn", "0-1")],
)
def test_what_is_no_target_is_told(kind: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"--{kind} "):
        Target.parse(kind, value)
