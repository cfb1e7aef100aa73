# SPDX-License-Identifier: ISC
"""Processes seen through /proc: who belongs to a server, who is whose child, how to end them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skytools.core.errors import TransientError

PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Process:
    """One running process (or zombie: state "Z")."""

    pid: int
    parent: int
    state: str
    name: str

    @property
    def running(self) -> bool:
        """False for what only waits to be reaped."""
        return self.state not in {"Z", "X"}


def find(pid: int) -> Process | None:
    """Return what the kernel knows of `pid`, None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may hold any character, a closing parenthesis too.
    head, tail = text.rsplit(")", 1)
    fields = tail.split()
    return Process(pid, int(fields[1]), fields[0], head.split("(", 1)[1])


def everyone() -> list[Process]:
    """Return all processes of the machine."""
    found = (find(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def descendants(roots: Iterable[int]) -> set[int]:
    """Return the running children of `roots`, their children, and so on, without `roots`."""
    children: dict[int, list[int]] = {}
    for process in everyone():
        if process.running:
            children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    todo = list(roots)
    while todo:
        for pid in children.get(todo.pop(), ()):
            if pid not in found:
                found.add(pid)
                todo.append(pid)
    return found


def servers_in(datadir: Path) -> set[int]:
    """Return the processes of a cluster: programs `postgres` whose current folder is `datadir`."""
    found = set()
    for process in everyone():
        entry = PROC / str(process.pid)
        try:
            cwd, program = (entry / "cwd").readlink(), (entry / "exe").readlink()
        except OSError:
            continue  # ended meanwhile, a kernel thread, or somebody else's
        if cwd == datadir and program.name.split(" ")[0] == "postgres":
            found.add(process.pid)
    return found


def kill_servers_in(datadir: Path, timeout: float = 30.0) -> int:
    """SIGKILL every process of a cluster and what these have started; return how many there were.

    They are stopped first, so that none can start another while the list is made.
    Raises TransientError when some are still there after `timeout` seconds.
    """
    killed = 0
    deadline = time.monotonic() + timeout
    while servers := {pid for pid in servers_in(datadir) if is_running(pid)}:
        send(servers, signal.SIGSTOP)
        family = servers | descendants(servers)
        send(family, signal.SIGKILL)
        wait_gone(family, deadline - time.monotonic())
        killed += len(family)
    return killed


def is_running(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    process = find(pid)
    return process is not None and process.running


def wait_gone(pids: Iterable[int], timeout: float = 30.0) -> None:
    """Wait until none of `pids` runs. Raises TransientError after `timeout` seconds."""
    waiting = set(pids)
    deadline = time.monotonic() + timeout
    while waiting := {pid for pid in waiting if is_running(pid)}:
        if time.monotonic() > deadline:
            raise TransientError(f"processes {sorted(waiting)} did not end within {timeout:.0f} s")
        time.sleep(0.01)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to those of `pids` that still exist."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the one that started it ends, however that happens.

    `parent` is its number, when that is known; the process ends at once when it has gone already.
    The kernel counts the thread that started us: it must live as long as the parent.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
