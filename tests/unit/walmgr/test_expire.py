# SPDX-License-Identifier: ISC
"""Which sets are removed, and in which order."""

from __future__ import annotations

import re
from pathlib import Path

from skytools.core.cli import Output
from skytools.walmgr.cleanup import plan_cleanup
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.expire import expire
from skytools.walmgr.sets import FAILED, UNVERIFIED, VERIFIED, BackupSet, list_sets
from skytools.walmgr.site import Site


def a_set(home: Path, name: str, moment: float, parent: str = "") -> None:
    prefix = "data.master"
    path = home / f"{prefix}.{name}"
    (path / "data").mkdir(parents=True)
    based = f"{prefix}.{parent}" if parent else ""
    BackupSet(path.name, path, state=VERIFIED, finished=moment, start=1, parent=based).save()


def names(home: Path) -> list[str]:
    return sorted(path.name.removeprefix("data.master.") for path in home.glob("data.master.*"))


def test_a_set_that_a_hook_keeps_has_what_it_is_based_on(tmp_path: Path) -> None:
    (tmp_path / "logs.complete").mkdir()
    log = tmp_path / "log"
    for number, (name, parent) in enumerate(
        {"base": "", "one": "base", "two": "one", "three": "two", "new": ""}.items()
    ):
        a_set(tmp_path, name, number + 1, parent)
    command = f"echo $BACKUPDIR >> {log}; case $BACKUPDIR in *.two) exit 1; esac"
    cfg = WalmgrConfig(
        job_name="x", walmgr_data=tmp_path, keep_backups=1, archive_command=command, hook_tries=1
    )
    site = Site(cfg, tmp_path / "x.ini", "walmgr", Output())
    expire(site)
    assert names(tmp_path) == ["base", "new", "one", "two"]
    asked = re.findall(r"master\.(\w+)", log.read_text())
    assert asked == ["three", "two"]


def test_sets_of_another_ini_beside_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs.complete").mkdir()
    other = tmp_path / "data.master-b.1"
    (other / "data").mkdir(parents=True)
    BackupSet(other.name, other, state=VERIFIED, finished=1, start=1).save()
    a_set(tmp_path, "new", 2)
    cfg = WalmgrConfig(job_name="x", walmgr_data=tmp_path, keep_backups=1)
    site = Site(cfg, tmp_path / "x.ini", "walmgr", Output())
    expire(site)
    assert other.exists()
    assert [one.name for one in site.sets()] == ["data.master.new"]


def test_cleanup_keeps_what_the_newest_set_is_based_on(tmp_path: Path) -> None:
    sets = {"early": "", "base": "", "one": "base", "newest": "one"}
    for number, (name, parent) in enumerate(sets.items()):
        a_set(tmp_path, name, number + 1, parent)
    cfg = WalmgrConfig(job_name="x", walmgr_data=tmp_path)
    site = Site(cfg, tmp_path / "x.ini", "walmgr", Output())
    for step in plan_cleanup(site, everything=False):
        step.run()
    assert names(tmp_path) == ["base", "newest", "one"]
    steps = plan_cleanup(site, everything=True)
    assert [step.text.rpartition(".")[2] for step in steps] == ["newest", "one", "base"]
    for step in steps:
        step.run()
    assert list(tmp_path.iterdir()) == []


LABEL = "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"


def test_a_folder_that_is_half_a_set_hides_no_other(tmp_path: Path) -> None:
    """As a walmgr3 that was killed leaves it, or a disk on which files were lost."""
    for name, files in (
        ("data.master", {"backup_label": LABEL}),
        ("data.master.0", {"backup_label": LABEL, "PG_VERSION": "9.6\n"}),
        (
            "data.master.1",
            {"backup_label": LABEL, "PG_VERSION": "15\n", "backup_manifest": '{ "WAL-'},
        ),
    ):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    found = {one.name: one.state for one in list_sets(tmp_path / "data.master", running=False)}
    assert found == {"data.master": FAILED, "data.master.0": UNVERIFIED, "data.master.1": FAILED}
