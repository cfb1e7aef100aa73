# SPDX-License-Identifier: ISC
"""The verbs `pause` and `continue`: replay on the standby stands still, if wished for a time only.

A server that restarts forgets that it was paused; the end of a pause is a file of ours, and the
service resumes.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from pathlib import Path

from skytools.core.errors import UsageError
from skytools.walmgr.coverage import when
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.facts import PAUSE_END, paused_until
from skytools.walmgr.files import is_locked, take, write_json
from skytools.walmgr.site import Site

SERVICE_LOCK = ".service.lock"
RETRY = 10.0
_DURATION = re.compile(r"(\d+)\s*(s|m|min|h)?")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, None: 60}


def pause_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `pause` takes."""
    p.add_argument("--for", dest="duration", default="", metavar="MINUTES", help="go on by itself "
                   "after so many minutes; also as 90s, 30m, 2h")  # fmt: skip


def plan_pause(site: Site, opts: argparse.Namespace) -> list[str]:
    """Say what `pause` would do. Raises UsageError, RefusedError."""
    seconds = _seconds(site, opts)
    return [f"pause replay {f'for {seconds} s' if seconds else 'until `continue`'}"]


def plan_continue(_site: Site, _opts: argparse.Namespace) -> list[str]:
    """Say what `continue` would do."""
    return ["resume replay"]


def _seconds(site: Site, opts: argparse.Namespace) -> int | None:
    seconds = _parse(opts.duration) if opts.duration else None
    if seconds is not None and not is_locked(site.cfg.home / SERVICE_LOCK):
        raise RefusedError(
            "the service does not run, so nobody would go on: start it, or leave --for"
        )
    return seconds


def run_pause(site: Site, opts: argparse.Namespace) -> int:
    """Pause replay. Source: the verb of Skytools 3, which had no end."""
    seconds = _seconds(site, opts)
    if seconds is None:
        _path(site).unlink(missing_ok=True)
    else:
        # First, so that no pause lasts longer than it was meant to.
        write_json(_path(site), {"until": time.time() + seconds})
    return _tell(site, _replay(site, "pause"))


def run_continue(site: Site, _opts: argparse.Namespace) -> int:
    """Resume replay."""
    state = _replay(site, "resume")
    _path(site).unlink(missing_ok=True)
    return _tell(site, state)


def _tell(site: Site, state: str) -> int:
    until = paused_until(site)
    if site.out.as_json:
        site.out.data({"replay": state, "until": until})
    end = "" if until is None else f", goes on by itself at {when(until)}"
    site.out.line(f"replay: {state}{end}")
    return 0


def _replay(site: Site, verb: str) -> str:
    standby = site.answering_standby()
    if standby is None or not standby.value("select pg_is_in_recovery()"):
        raise RefusedError("the standby does not answer, or is none: see `status`")
    standby.execute(f"select pg_wal_replay_{verb}()")
    return str(standby.value("select pg_get_wal_replay_pause_state()"))


def _path(site: Site) -> Path:
    return site.cfg.home / PAUSE_END


def _parse(text: str) -> int:
    found = _DURATION.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise UsageError(f"--for {text}: is no time such as 10 (minutes), 90s, 30m or 2h")
    return int(found[1]) * _SECONDS[found[2]]


class Resumer:
    """The service's part: says that it is there, and ends a pause whose time has come."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock: int | None = None
        self._next = 0.0

    def look(self) -> bool:
        """Resume replay when it is due; whether it did. Raises SkytoolsError."""
        if self._lock is None:
            self._lock = os.open(self._site.cfg.home / SERVICE_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            take(self._lock)
        until = paused_until(self._site)
        if until is None or time.time() < until or time.monotonic() < self._next:
            return False
        standby = self._site.answering_standby()
        if standby is None:
            self._next = time.monotonic() + RETRY
            return False
        if standby.value("select pg_is_in_recovery()"):
            standby.execute("select pg_wal_replay_resume()")
        _path(self._site).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Say that nobody resumes any more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
