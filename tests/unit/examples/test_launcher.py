# SPDX-License-Identifier: ISC
"""The demo's walmgr for a user who may not reach the checkout has all that it imports."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from examples.demo import launcher

EVERYTHING = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import skytools.walmgr
for module in pkgutil.walk_packages(skytools.walmgr.__path__, "skytools.walmgr."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from skytools.scriptmgr import manager_metrics
manager_metrics._build_info()
"""


def test_the_copy_is_enough_for_walmgr(tmp_path: Path) -> None:
    folder = launcher._copied(Path(sysconfig.get_paths()["platlib"]), tmp_path)
    # Isolated, and without site-packages.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", EVERYTHING, str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.root
def test_a_python_that_the_servers_user_cannot_reach_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment below /root: the link is out of reach, what it leads to is not."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    link = hidden / "python"
    link.symlink_to(Path(sys.executable).resolve())
    monkeypatch.setattr(sys, "executable", str(link))
    python, _ = launcher.python_of(launcher.make_walmgr(tmp_path / "bin"))
    assert Path(python).parent == Path("/usr/bin")
