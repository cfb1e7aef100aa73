# SPDX-License-Identifier: ISC
"""What processes have cost, by the kernel's own counts: steadier than time on a busy machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: on a processor, and ready to run without getting one."""

    cpu: float
    waited: float

    def __sub__(self, before: Spent) -> Spent:
        return Spent(self.cpu - before.cpu, self.waited - before.waited)


def spent(*pids: int) -> Spent:
    """Return what these processes and their descendants have used, ended ones included.

    How long those that have ended had waited is not known: counted as nothing.
    """
    cpu = waited = 0.0
    for pid in pids:
        for one in (pid, *_descendants(pid)):
            run, wait = _scheduled(one)
            cpu += run + reaped(one)
            waited += wait
    return Spent(cpu, waited)


def backend_cpu(db: Database) -> float:
    """Return the seconds of CPU that the connection's backend has used."""
    return _scheduled(db.value("select pg_backend_pid()"))[0]


def reaped(pid: int) -> float:
    """Return the seconds of CPU of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[13]) + int(fields[14])) / TICKS


def children(pid: int) -> set[int]:
    """Return the children of a process."""
    try:
        return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except (FileNotFoundError, ProcessLookupError):
        return set()


def wait_children(pid: int, before: set[int], seconds: float = 10) -> None:
    """Wait until no child is left but those of before, and others that were started meanwhile."""
    deadline = time.monotonic() + seconds
    while children(pid) - before and time.monotonic() < deadline:
        time.sleep(0.01)


def _descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from _descendants(child)


def _scheduled(pid: int) -> tuple[float, float]:
    """Return (seconds running, seconds waiting to run) of all threads of a process."""
    run = wait = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            one = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        run += int(one[0])
        wait += int(one[1])
    return run / 1e9, wait / 1e9
