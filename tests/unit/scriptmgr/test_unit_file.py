# SPDX-License-Identifier: ISC
"""The unit, judged by systemd's own tools, and the sample ini."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skytools.core.config import options
from skytools.core.template import show
from skytools.scriptmgr.config import ManagerConfig, load_manager

ROOT = Path(__file__).resolve().parents[3]
UNIT = ROOT / "systemd" / "skytools.service"


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_unit_is_valid(tmp_path: Path) -> None:
    """Our own command stands in for /usr/bin/scriptmgr, which the package installs."""
    command = Path(sys.executable).parent / "scriptmgr"
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/scriptmgr", str(command)))
    result = analyze("verify", "--man=no", str(copy))
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_unit_is_hardened() -> None:
    result = analyze("security", "--offline=true", "--threshold=20", str(UNIT))
    assert result.returncode == 0, result.stdout


def test_unit_outlasts_the_longest_default_stop() -> None:
    timeout = next(
        int(line.partition("=")[2])
        for line in UNIT.read_text().splitlines()
        if line.startswith("TimeoutStopSec=")
    )
    assert timeout > 2 * ManagerConfig().stop_timeout  # two waves


@pytest.mark.parametrize("word", ["KillMode=mixed", "NotifyAccess=main", "Type=notify"])
def test_unit_keeps_what_the_manager_relies_on(word: str) -> None:
    assert word in UNIT.read_text().splitlines()


def test_sample_ini_says_the_defaults() -> None:
    path = ROOT / "examples" / "skytools.ini"
    manager = load_manager(path, "", {})
    assert manager.warnings == ()
    defaults = {declared.name: show(declared.option.default) for declared in options(ManagerConfig)}
    special = {
        "job_name": "skytools", "config_list": "/etc/skytools/*.ini",
        "runtime_dir": "/run/skytools", "log_dir": "/var/log/skytools",
    }  # fmt: skip
    section = path.read_text().partition("[scriptmgr]")[2]
    for line in section.splitlines():
        key, equals, value = line.partition(" = ")
        if equals and not line.startswith("#"):
            assert value == special.get(key, defaults[key]), key
