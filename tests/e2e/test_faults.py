# SPDX-License-Identifier: ISC
"""Every process of the demo's chain killed in the middle of load: nothing lost, nothing doubled.

The consumer, the ticker, the exporter, the manager, either server: each once, in any order, and
many times by make chaos. FAULT_ROUNDS and FAULT_SEED in the environment make it longer, or the
same again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.demo import setup
from examples.demo.ports import claim_port
from examples.demo.stack import Stack, claimed, leftovers
from examples.demo.verify import final_check
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, TransientError
from skytools.scriptmgr.client import Client
from tests.fixtures.wait import wait_until

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "6"))
SEED = int(os.environ.get("FAULT_SEED", str(int(time.time()))))
RATE = 400.0
# A job that is killed often is started again after a minute and a fifth at most. Seconds.
BACK_OFF = 300


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="skytools-faults-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class Victims:
    """The chain under load and how each part of it is killed."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._client = Client(stack.state / "run" / "control.sock", timeout=30)
        self.kills: dict[str, Callable[[], None]] = {
            "consumer": lambda: self.kill_job("ledger"),
            "ticker": lambda: self.kill_job("ticker"),
            "exporter": lambda: self.kill_job("exporter"),
            "manager": self.kill_manager,
            "source server": stack.source.kill,
            "target server": stack.target.kill,
        }

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return job name -> record, nothing while the manager is away."""
        try:
            return {job["job_name"]: job for job in self._client.status()["jobs"]}
        except SkytoolsError:
            return {}

    def kill_job(self, word: str) -> None:
        """Kill a job and wait until the manager has started it again."""
        jobs = wait_until(self.jobs, what="the manager's answer")
        (name,) = (name for name in jobs if word in name)
        pid = jobs[name]["pid"]
        assert pid, f"{name} does not run: {jobs[name]}"
        os.kill(pid, signal.SIGKILL)

        def again() -> bool:
            return self.jobs().get(name, {}).get("pid") not in (pid, None)

        wait_until(again, BACK_OFF, f"{name} to be started again")

    def kill_manager(self) -> None:
        pid = self.stack.manager_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.stack.manager_pid is None, what="the manager's end")

    def states(self) -> set[str]:
        return {job["state"] for job in self.jobs().values()}

    def all_ready(self) -> bool:
        self.stack.tend()
        jobs = self.jobs()
        return bool(jobs) and all(job["ready"] for job in jobs.values())


def applied(target: Database) -> int:
    """Return how many events have arrived, -1 while the server is away."""
    try:
        return int(target.value("select count(*) from ledger"))
    except TransientError:
        return -1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_9_of_every_process_at_random_loses_and_doubles_nothing(folder, no_orphans) -> None:
    dice = random.Random(SEED)
    with claimed(folder) as state:
        stack = Stack(setup.Settings(rate=RATE, seconds=None, state=state), state)
        # The usual one may be another manager's while ours is down.
        stack.port = claim_port()
        source, target = setup.open_source(stack.source), setup.open_target(stack.target)
        try:
            stack.start_servers()
            stack.fill()
            stack.start_manager()
            victims = Victims(stack)
            wait_until(victims.all_ready, 150, "all jobs ready")
            stack.start_load()
            kinds = list(victims.kills)
            # Each kind as often as others, in random order.
            rounds = [kinds[number % len(kinds)] for number in range(ROUNDS)]
            dice.shuffle(rounds)
            for number, kind in enumerate(rounds):
                what = f"round {number} ({kind}), FAULT_SEED={SEED}"
                before = applied(target)
                wait_until(lambda b=before: applied(target) > b, 150, f"load before {what}")
                # Kill at any point of a batch, not just after one.
                time.sleep(dice.uniform(0, 0.2))
                victims.kills[kind]()
                wait_until(victims.all_ready, BACK_OFF, f"recovery after {what}")
            before = applied(target)
            wait_until(lambda: applied(target) > before, 150, "load after the last round")
            stack.stop_load(source)
            verdict, drained = final_check(source, target, 300.0)
            wait_until(lambda: victims.states() == {"running"}, BACK_OFF, "all jobs running")
        finally:
            source.close()
            target.close()
            stack.close()
        assert leftovers(state) == set()
    assert drained, f"FAULT_SEED={SEED}: {verdict}"
    assert verdict.good, f"FAULT_SEED={SEED}: {verdict}"
