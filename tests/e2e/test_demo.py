# SPDX-License-Identifier: ISC
"""The demo as a user runs it: verdict, exit code, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.demo.stack import leftovers
from skytools.core import processes
from tests.fixtures.process import ROOT, Program, Spawn
from tests.fixtures.wait import wait_until

Start = Callable[..., Program]
DEMO = (sys.executable, "-m", "examples.demo")


@pytest.fixture
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="skytools-demo-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(state: Path, spawn: Spawn) -> Start:
    return lambda *words: spawn(*DEMO, "--state", state, *words, cwd=ROOT)


@pytest.mark.slow
def test_killed_job_and_server_come_back_and_the_verdict_is_good(start: Start, state: Path) -> None:
    demo = start("--seconds", "12")
    told = demo.wait_output("jobs ready", 240)
    assert "[4/4]" in told
    consumer = next(pid for pid in leftovers(state) if "ledger.ini" in command_line(pid))
    os.kill(consumer, signal.SIGKILL)
    server = int((state / "target" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    processes.kill_servers_in(state / "target" / "data")
    wait_until(lambda: not processes.is_running(server))
    assert 'skytools_job_ready{job_name="ledger"}' in metrics_of(state)
    assert demo.wait(600) == 0, demo.output
    assert demo.output.splitlines()[-1] == "GOOD: nothing lost, nothing doubled"
    verdict = json.loads((state / "verdict.json").read_text())
    assert verdict["restarts"] == {"job": 1, "target server": 1}
    assert verdict["produced"] == verdict["applied"] > 500
    faults = ("lost", "doubled", "altered", "unknown", "history_wrong", "balances_wrong")
    assert {name: verdict[name] for name in faults} == dict.fromkeys(faults, 0)
    assert verdict["history_rows"] > 100
    assert (verdict["standby"]["missing"], verdict["standby"]["error"]) == (0, "")
    assert verdict["standby"]["acknowledged"] >= 500
    assert leftovers(state) == set()


@pytest.mark.slow
def test_a_killed_demo_gives_way_to_the_next_and_interrupt_compares(
    start: Start, state: Path
) -> None:
    first = start()
    first.wait_output("jobs ready", 240)
    assert 'skytools_job_ready{job_name="ledger"} 1.0' in metrics_of(state)
    first.kill()
    second = start()
    second.wait_output("jobs ready", 240)
    second.signal(signal.SIGINT)
    assert second.wait(240) == 0, second.output
    assert "GOOD: nothing lost" in second.output
    assert leftovers(state) == set()


def metrics_of(state: Path) -> str:
    listen = (state / "scriptmgr.ini").read_text().split("metrics_listen = ")[1].split()[0]
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def test_interrupt_while_setting_up_leaves_nothing(start: Start, state: Path) -> None:
    demo = start()
    demo.wait_output("[2/4]", 240)
    demo.signal(signal.SIGINT)
    assert demo.wait(240) == 130
    assert "Traceback" not in demo.output
    assert leftovers(state) == set()


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def test_two_demos_in_one_folder_exclude_each_other(start: Start) -> None:
    first = start()
    first.wait_output("[1/4]", 240)
    second = start()
    assert second.wait() == 2
    assert "another demo runs in" in second.output.splitlines()[-1]
    assert first.running


def test_a_folder_with_other_files_is_not_touched(start: Start, state: Path) -> None:
    (state / "precious").write_text("keep me")
    demo = start()
    assert demo.wait() == 2
    assert "not a folder of the demo" in demo.output
    assert (state / "precious").read_text() == "keep me"


@pytest.mark.parametrize("words", [["--rate", "0"], ["--seconds", "-1"], ["--rate", "many"]])
def test_wrong_arguments(start: Start, words: list[str]) -> None:
    demo = start(*words)
    assert demo.wait() == 2
    assert "Traceback" not in demo.output
