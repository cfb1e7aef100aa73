# SPDX-License-Identifier: ISC
"""Files of facts that several of us write."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skytools.core.cli import Output
from skytools.core.errors import SkytoolsError
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.files import read_json, write_json
from skytools.walmgr.site import Site


def test_who_leads_is_never_guessed(tmp_path: Path) -> None:
    site = Site(WalmgrConfig(job_name="x", walmgr_data=tmp_path), tmp_path, "walmgr", Output())
    assert site.leader.name == "master"
    site.lead(site.follower)
    assert (site.leader.name, site.follower.name) == ("slave", "master")
    (tmp_path / "roles.json").write_bytes(b"")
    with pytest.raises(SkytoolsError, match="write into it who is the primary"):
        _ = site.leader


def test_two_may_write_a_file_of_facts_at_the_same_time(tmp_path: Path) -> None:
    """As `point` does while a backup forgets points; each file is one of theirs, whole."""
    path = tmp_path / "points.json"

    def write(number: int) -> None:
        for _ in range(40):
            write_json(path, {"points": [number] * 1000 * number})
            assert len(set(json.loads(path.read_text())["points"])) == 1

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (1, 3)))
    assert read_json(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
