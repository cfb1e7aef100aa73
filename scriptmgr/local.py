# SPDX-License-Identifier: ISC
"""Commands that need no running manager: check, tail, run-job, and signals to the manager."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import TextIO

from skytools.core.errors import SkytoolsError, UsageError
from skytools.core.pidfile import send_signal
from skytools.scriptmgr import checking, exits, runjob
from skytools.scriptmgr.commands import Request, complain
from skytools.scriptmgr.exits import UnknownJob
from skytools.scriptmgr.jobs import EXPORTER, Job
from skytools.scriptmgr.paths import paths_of, require_usable
from skytools.scriptmgr.prepare import launch_data
from skytools.scriptmgr.selection import select
from skytools.scriptmgr.summary import describe_unmanaged

FOLLOW_POLL = 0.2  # seconds


def check(req: Request) -> int:
    """Validate the manager's ini and every job's; exit 78 when anything is wrong."""
    require_usable(req.manager)
    jobs = checking.find_jobs(req.manager, req.overrides)
    for warning in req.manager.warnings:
        complain(f"warning: {warning}")
    bad = 0
    for job in jobs:
        for warning in job.warnings:
            complain(f"warning: {warning}")
        if job.error:
            bad += 1
            for fault in job.error.split("; " + job.config):
                text = fault if fault.startswith(job.config) else job.config + fault
                complain(text if fault.startswith(("/", ":")) else f"{job.config}: {fault}")
    if req.out.as_json:
        req.out.data([{"job_name": j.name, "config": j.config, "error": j.error} for j in jobs])
    if bad:
        req.out.line(f"{bad} of {len(jobs)} jobs have faults")
        return exits.CONFIG
    req.out.line(f"good: {len(jobs)} jobs")
    return exits.OK


def _named_job(req: Request) -> Job:
    if len(req.names) != 1:
        raise UsageError(f"{req.command}: exactly one job is needed")
    name = req.names[0]
    if name == EXPORTER:
        return Job(name=EXPORTER)
    jobs = checking.find_jobs(req.manager, req.overrides)
    chosen = select([describe_unmanaged(job, "down") for job in jobs], [name])[0]["job_name"]
    return next(job for job in jobs if job.name == chosen)


def tail(req: Request) -> int:
    """Show the end of a job's log, or of what it printed when it has no log of its own."""
    job = _named_job(req)
    paths = [Path(job.logfile)] if job.logfile else []
    paths.append(paths_of(req.manager).output(job.name))
    for path in paths:
        try:
            _tail(path, req.lines, follow=req.follow, out=req.out.stream)
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise SkytoolsError(f"{path}: {exc.strerror}") from exc
        return exits.OK
    raise SkytoolsError(f"{job.name} has no log yet: {' or '.join(map(str, paths))}")


def _tail(path: Path, lines: int, *, follow: bool, out: TextIO) -> None:
    file = path.open(encoding="utf-8", errors="replace")
    try:
        out.writelines(deque(file, maxlen=lines))
        out.flush()
        while follow:
            text = file.read()
            if text:
                out.write(text)
                out.flush()
                continue
            time.sleep(FOLLOW_POLL)
            if _replaced(path, file):
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
    finally:
        file.close()


def _replaced(path: Path, file: TextIO) -> bool:
    """Tell whether the log was rotated or truncated under us."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False  # between rename and create
    here = os.fstat(file.fileno())
    return here.st_ino != there.st_ino or there.st_size < os.lseek(file.fileno(), 0, os.SEEK_CUR)


def run_job(req: Request) -> int:  # noqa: RET503 - become() does not return
    """Become one job, without a manager: what a unit of its own for each job calls."""
    job = _named_job(req)
    if job.error:
        complain(f"{job.name} rejected: {job.error}")
        return exits.CONFIG
    if not job.argv:
        raise UnknownJob(f"{job.name} runs under the manager only")
    launch = launch_data(job, paths_of(req.manager))
    # The caller may supervise us by itself; without it there is nobody to notify.
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
        launch["env"].pop(name, None)
    if not paths_of(req.manager).jobs.is_dir():
        launch["env"].pop("SKYTOOLS_METRICS_SOCKET")
    if os.geteuid() == 0 and launch["user"]:
        raise SkytoolsError(f"user = {launch['user']}: run it as that user")
    sys.stdout.flush()
    runjob.become(launch, os.environ)


def signal_manager(req: Request) -> int:
    """Old switches -s (stop), -k (kill) and -r (reload) act on the manager itself."""
    numbers = {"-s": signal.SIGTERM, "-k": signal.SIGKILL, "-r": signal.SIGHUP}
    number = numbers[req.command]
    if not send_signal(paths_of(req.manager).pidfile, number):
        complain("the manager is not running")
        return exits.NOT_RUNNING
    req.out.line(f"{number.name} sent to the manager")
    return exits.OK
