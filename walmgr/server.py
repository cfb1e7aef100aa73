# SPDX-License-Identifier: ISC
"""Starting and stopping the standby's server, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, TransientError, UsageError
from skytools.walmgr import postgres
from skytools.walmgr.postgres import Programs
from skytools.walmgr.remote import shell
from skytools.walmgr.site import Site

START_TIMEOUT = 300.0
POLL = 0.1


def start_server(site: Site, programs: Programs, datadir: Path) -> None:
    """Start a server and wait until its postmaster is up. Raises SkytoolsError."""
    if datadir == site.cfg.slave_data and site.cfg.slave_start_cmd:
        shell(site.cfg.slave_start_cmd)
        return
    log = datadir.with_name(f"{datadir.name}.log")
    words: list[str | Path] = [programs.path("pg_ctl"), "-D", datadir, "-l", log]
    words += ["-t", f"{START_TIMEOUT:.0f}", "--wait", "--silent", "start"]
    done = programs.host.run(words)
    if done.code != 0:
        raise SkytoolsError(f"server {datadir} did not start: {_last_fatal(log)}")


def _last_fatal(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    told = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return (told or lines or ["its log is empty"])[-1]


def stop_server(site: Site, datadir: Path) -> bool:
    """Stop the server on a data folder of this machine; False when none runs.

    Raises SkytoolsError when it does not stop.
    """
    if postgres.running_pid(site.here, datadir) is None:
        return False
    if datadir == site.cfg.slave_data and site.cfg.slave_stop_cmd:
        shell(site.cfg.slave_stop_cmd)
    else:
        major = postgres.major_of(site.here, datadir)
        if major is None:
            raise UsageError(f"{datadir} is no data folder")
        program = site.programs(major).path("pg_ctl")
        site.here.check([program, "-D", datadir, "-m", "fast", "--wait", "--silent", "stop"])
    if postgres.running_pid(site.here, datadir) is not None:
        raise SkytoolsError(f"server {datadir} still runs after slave_stop_cmd")
    return True


def wait_until(condition: Callable[[], bool], what: str, timeout: float) -> None:
    """Poll until a condition holds. Raises TransientError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TransientError(f"not within {timeout:g} s: {what}")
        time.sleep(POLL)


def wait_for_standby(site: Site, timeout: float = START_TIMEOUT) -> Database:
    """Wait until the standby answers. Raises TransientError."""
    found: list[Database] = []

    def answers() -> bool:
        database = site.answering_standby()
        if database is not None:
            found.append(database)
        return bool(found)

    wait_until(answers, f"an answer from the standby {site.cfg.slave_data}", timeout)
    return found[-1]
