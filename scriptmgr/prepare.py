# SPDX-License-Identifier: ISC
"""Files that supervisord and run-job read, written before a start and at each update."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.paths import Paths, write_atomic
from skytools.scriptmgr.render import render
from skytools.scriptmgr.runjob import DEATH_ENV, RUNTIME_ENV


def write_files(jobs: Iterable[Job], paths: Paths) -> None:
    """Write supervisord.conf and jobs.json. Raises SkytoolsError when that fails."""
    startable = [job for job in jobs if not job.disabled and not job.error]
    try:
        write_atomic(paths.conf, render(startable, paths))
        text = json.dumps({job.name: launch_data(job, paths) for job in startable}, indent=1)
        write_atomic(paths.jobs_file, text)
    except OSError as exc:
        raise SkytoolsError(f"cannot write {exc.filename}: {exc.strerror}") from exc


def launch_data(job: Job, paths: Paths) -> dict[str, Any]:
    """Return what run-job needs to become the job."""
    env = {
        "NOTIFY_SOCKET": str(paths.notify),
        "SKYTOOLS_JOB": job.name,
        "SKYTOOLS_METRICS_SOCKET": str(paths.metrics_socket(job.name, job.user)),
    }
    if job.watchdog_sec:
        env["WATCHDOG_USEC"] = str(int(job.watchdog_sec * 1e6))
    return {"argv": list(job.argv), "cwd": job.cwd, "user": job.user, "env": env}


def job_environment(paths: Paths, *, supervised: bool) -> dict[str, str]:
    """Return what the manager puts into its own environment for run-job to inherit."""
    env = {RUNTIME_ENV: str(paths.runtime)}
    if not supervised:  # systemd ends the whole control group by itself
        env[DEATH_ENV] = "1"
    return env
