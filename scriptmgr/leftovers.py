# SPDX-License-Identifier: ISC
"""Helpers of jobs that outlived a manager which was killed outside systemd."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

from skytools.scriptmgr.runjob import GROUP_ENV, RUNTIME_ENV

log = logging.getLogger("scriptmgr")

_PROC = Path("/proc")


def kill_leftovers(runtime: Path) -> int:
    """SIGKILL what is left of an earlier manager's jobs; returns how many there were.

    Call only while holding the manager's lock. What left its job's process group on purpose
    (a server that a job has started) is not touched.
    """
    count = 0
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        group = _job_group(entry, runtime)
        if group is None:
            continue
        try:
            if os.getpgid(int(entry.name)) == group:
                os.kill(int(entry.name), signal.SIGKILL)
                count += 1
        except ProcessLookupError:
            continue
    if count:
        log.warning("killed %d processes that an earlier manager had left", count)
    return count


def _job_group(entry: Path, runtime: Path) -> int | None:
    """Return the process group a process was born into as part of a job of this manager."""
    try:
        items = (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return None  # not ours, or gone
    if f"{RUNTIME_ENV}={runtime}".encode() not in items:
        return None
    prefix = f"{GROUP_ENV}=".encode()
    for item in items:
        if item.startswith(prefix) and item[len(prefix) :].isdigit():
            return int(item[len(prefix) :])
    return None
