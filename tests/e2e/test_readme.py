# SPDX-License-Identifier: ISC
"""The five minutes of the README, pasted as they are into the shell of `make play`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.process import ROOT

EVENT = "1 new-order id=1&total=99"
UNTIL_SEEN = f"until scriptmgr tail hello | grep -q '^{EVENT}$'; do sleep 0.1; done; echo SEEN"
PLAY = (sys.executable, "-m", "examples.demo.playground", "--state")


@pytest.fixture
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="skytools-play-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_five_minutes_of_the_readme(state: Path) -> None:
    text = (ROOT / "README.md").read_text()
    pasted = re.search(r"^## Five minutes.*?```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert pasted is not None
    assert EVENT in pasted[1]
    done = subprocess.run(
        [*PLAY, str(state)],
        input=f"{pasted[1]}\n{UNTIL_SEEN}\nscriptmgr status hello\n",
        cwd=ROOT,
        env={**os.environ, "SHELL": "/bin/sh"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "SEEN" in done.stdout, done.stdout + done.stderr
    assert "queue orders, consumer hello: at tick" in done.stdout
    assert done.returncode == 0, done.stderr
    assert not (state / "server" / "data" / "postmaster.pid").exists()
