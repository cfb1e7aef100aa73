# SPDX-License-Identifier: ISC
"""Starting and stopping the standby's server, and waiting for it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, TransientError, UsageError
from skytools.walmgr import postgres, units
from skytools.walmgr.node import Node
from skytools.walmgr.outside import config_file
from skytools.walmgr.postgres import Programs
from skytools.walmgr.remote import shell
from skytools.walmgr.site import Site

START_TIMEOUT = 300.0
POLL = 0.1


def start_server(site: Site, programs: Programs, datadir: Path) -> None:
    """Start a server of this machine and wait until its postmaster is up. Raises SkytoolsError."""
    node = _node_of(site, datadir)
    if node is not None and node.start_cmd:
        shell(node.start_cmd)
    else:
        run_pg_ctl(programs, datadir, "start")


def run_pg_ctl(programs: Programs, datadir: Path, verb: str) -> None:
    """Start or restart a server by pg_ctl. Raises SkytoolsError with a line of its log."""
    log = datadir.with_name(f"{datadir.name}-walmgr.log")
    words: list[str | Path] = [programs.path("pg_ctl"), "-D", datadir, "-l", log, "-m", "fast"]
    words += ["-t", f"{START_TIMEOUT:.0f}", "--wait", "--silent", verb]
    # A restart finds it by itself.
    config = config_file(programs.host, datadir) if verb == "start" else ""
    if config:
        words += ["-o", f"-c config_file={shlex.quote(config)}"]
    done = programs.host.run(words)
    if done.code != 0:
        lines = (programs.host.read(log) or "").splitlines()
        told = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        last = (told or lines or [done.last_line])[-1]
        raise SkytoolsError(f"server {datadir} did not {verb}: {last}")


def restart_server(programs: Programs, datadir: Path) -> None:
    """Restart a server by pg_ctl. Raises SkytoolsError."""
    unit = units.unit_of(programs.host, datadir)
    if not unit:
        run_pg_ctl(programs, datadir, "restart")
        return
    units.stop(programs.host, programs.path("pg_ctl"), datadir)
    run_pg_ctl(programs, datadir, "start")


def wait_recovered(programs: Programs, datadir: Path) -> None:
    """Wait until a server's recovery has ended, for as long as it needs.

    Raises SkytoolsError when the server ends before.
    """
    while postgres.read_control(programs, datadir).state != "in production":
        if postgres.running_pid(programs.host, datadir) is None:
            raise SkytoolsError(f"server {datadir} ended in recovery; its log says why")
        time.sleep(POLL)


def _node_of(site: Site, datadir: Path) -> Node | None:
    found = [n for n in site.nodes.values() if n.host.local and n.data == datadir]
    return found[0] if found else None


def stop_server(site: Site, datadir: Path) -> bool:
    """Stop the server on a data folder of this machine; False when none runs.

    Raises SkytoolsError when it does not stop.
    """
    if postgres.running_pid(site.here, datadir) is None:
        return False
    node = _node_of(site, datadir)
    if node is not None and node.stop_cmd:
        unit = units.unit_of(site.here, datadir)
        shell(node.stop_cmd)
        units.wait_until_down(site.here, unit)
    else:
        major = postgres.major_of(site.here, datadir)
        if major is None:
            raise UsageError(f"{datadir} is no data folder")
        program = site.programs(major).path("pg_ctl")
        units.stop(site.here, program, datadir)
    if postgres.running_pid(site.here, datadir) is not None:
        raise SkytoolsError(f"server {datadir} still runs after it was stopped")
    return True


def wait_until(condition: Callable[[], bool], what: str, timeout: float) -> None:
    """Poll until a condition holds. Raises TransientError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = POLL / 10
    while not condition():
        if time.monotonic() > deadline:
            raise TransientError(f"not within {timeout:g} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, POLL)


def wait_for_standby(site: Site, timeout: float = START_TIMEOUT) -> Database:
    """Wait until the standby answers. Raises TransientError."""
    found: list[Database] = []

    def answers() -> bool:
        database = site.answering_standby()
        if database is not None:
            found.append(database)
        return bool(found)

    wait_until(answers, f"an answer from the standby {site.follower.data}", timeout)
    return found[-1]


def wait_caught_up(site: Site, timeout: float = START_TIMEOUT) -> None:
    """Wait until the standby streams and has replayed what the primary has now.

    Raises TransientError. Streaming alone says little: a stream that breaks at once begins anew.
    """
    standby = wait_for_standby(site)
    position = site.primary().value("select pg_current_wal_flush_lsn()::text")
    query = (
        "select pg_last_wal_replay_lsn() >= %s::pg_lsn and exists"
        " (select from pg_stat_wal_receiver where status = 'streaming')"
    )
    what = "the standby follows the primary; its log says why not"
    wait_until(lambda: bool(standby.value(query, [position])), what, timeout)
