# SPDX-License-Identifier: ISC
"""Job records as data (what RPC and `--json` give) and in one line (what systemd shows)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skytools.scriptmgr.desired import Desired, JobState, Phase
from skytools.scriptmgr.jobs import Job


def describe_state(state: JobState, now: float, epoch: float) -> dict[str, Any]:
    """Return one row of `status`. Moments are epoch seconds."""
    tally = state.tally
    waiting = state.phase is Phase.DOWN and state.next_start is not None
    next_start = epoch + max(0.0, (state.next_start or 0.0) - now) if waiting else None
    return {
        **describe_unmanaged(state.job, state.state(now)),
        "desired": state.desired.value,
        "ready": state.ready,
        "pid": state.pid or None,
        "uptime_seconds": round(now - state.started, 3) if state.pid else None,
        "restarts": max(0, tally.starts - 1),
        "last_exit": tally.last_exit,
        "status_text": state.status_text,
        "error": state.config_error or state.error,
        "as_wanted": state.as_wanted and not state.config_error,
        "settled": state.settled,
        "reloading": state.reloading,
        "start_time": state.start_time,
        "next_start_time": next_start,
        "last_exit_time": tally.last_exit_time,
        "starts": tally.starts,
        "failures": tally.failures,
        "watchdog_timeouts": tally.watchdog_timeouts,
    }


def describe_unmanaged(job: Job, state: str) -> dict[str, Any]:
    """Return the row of a job that no process record stands behind: rejected, or manager down."""
    desired = Desired.DISABLED if job.disabled else Desired.RUN
    return {
        "job_name": job.name,
        "service": job.service,
        "state": state,
        "desired": desired.value,
        "ready": False,
        "pid": None,
        "uptime_seconds": None,
        "restarts": 0,
        "last_exit": None,
        "status_text": "",
        "config": job.config,
        "error": job.error,
        "as_wanted": job.disabled and not job.error,
        "settled": True,
        "reloading": False,
        "start_time": None,
        "next_start_time": None,
        "last_exit_time": None,
        "starts": 0,
        "failures": 0,
        "watchdog_timeouts": 0,
        "priority": job.priority,
        "stop_timeout": job.stop_timeout,
        "logfile": job.logfile,
        "command": list(job.argv),
        "user": job.user,
        "internal": job.internal,
    }


def one_line(states: Iterable[JobState], rejected: int) -> str:
    """Return how the manager is, as `systemctl status` shows it."""
    wanted = [s for s in states if s.desired is Desired.RUN and not s.job.internal]
    bad = sorted((s for s in wanted if not s.as_wanted), key=lambda s: s.job.name)
    text = f"{len(wanted) - len(bad)}/{len(wanted)} jobs ready"
    if bad:
        text += "; not ready: " + ", ".join(_brief(s) for s in bad[:5])
        text += f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    return text + (f"; {rejected} rejected" if rejected else "")


def _brief(state: JobState) -> str:
    why = state.status_text or state.error
    return f"{state.job.name} ({why[:80]})" if why else state.job.name
