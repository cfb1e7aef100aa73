# SPDX-License-Identifier: ISC
"""The manager's own series, made from the answer of `skytools.status`."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import skytools
from skytools.core.metrics import Metric
from skytools.scriptmgr.merge import LABEL

STATES = (
    "stopped", "starting", "running", "backoff", "stopping", "exited", "fatal", "disabled",
    "rejected",
)  # fmt: skip

_PER_JOB = (
    ("skytools_job_ready", "gauge", "Whether the job has said READY=1.", "ready"),
    ("skytools_job_starts", "counter", "Processes started.", "starts"),
    ("skytools_job_failures", "counter", "Exits that nobody asked for.", "failures"),
    (
        "skytools_job_watchdog_timeouts", "counter",
        "Processes ended because they gave no sign of life.", "watchdog_timeouts",
    ),
    (
        "skytools_job_start_time_seconds", "gauge",
        "When the process was started, since the epoch.", "start_time",
    ),
    (
        "skytools_job_last_exit_status", "gauge",
        "Exit status of the last process; -N is signal N.", "last_exit",
    ),
    (
        "skytools_job_last_exit_timestamp_seconds", "gauge",
        "When the last process ended, since the epoch.", "last_exit_time",
    ),
    (
        "skytools_job_next_start_timestamp_seconds", "gauge",
        "When a job in back-off is started again, since the epoch.", "next_start_time",
    ),
)  # fmt: skip


def _family(name: str, text: str, kind: str = "gauge") -> Metric:
    return Metric(name, text, kind)


def _add(family: Metric, value: Any, **labels: str) -> None:
    """Add a sample; what is not known has no series."""
    if value is None:
        return
    name = family.name + ("_total" if family.type == "counter" else "")
    family.add_sample(name, labels, float(value))


def manager_families(status: Mapping[str, Any]) -> list[Metric]:
    """Return the series of the manager and of each job's process."""
    out = [_build_info()]
    for name, kind, text, key in (
        ("skytools_config_last_reload_successful", "gauge",
         "Whether the last update of the configuration was good.", "reload_ok"),
        ("skytools_config_last_reload_success_timestamp_seconds", "gauge",
         "When the configuration was last read well, since the epoch.", "reload_time"),
        ("skytools_manager_hook_errors", "counter",
         "Unexpected errors inside the manager.", "hook_errors"),
        ("skytools_manager_notify_dropped", "counter",
         "sd_notify messages of unknown processes.", "notify_dropped"),
    ):  # fmt: skip
        family = _family(name, text, kind)
        _add(family, status[key])
        out.append(family)
    return out + _job_families(_distinct(status["jobs"]))


def _build_info() -> Metric:
    family = _family("skytools_build_info", "Versions of the manager and what it runs on.")
    _add(
        family,
        1,
        version=skytools.__version__,
        python_version=platform.python_version(),
        supervisor_version=metadata.version("supervisor"),
    )
    return family


def _distinct(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return one row for each name: a rejected claim to a name must not double its series."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["state"] != "rejected" or row["job_name"] not in found:
            found[row["job_name"]] = row
    return list(found.values())


def _job_families(rows: list[Mapping[str, Any]]) -> list[Metric]:
    info = _family("skytools_job_info", "The service of each job.")
    state = _family("skytools_job_state", "1 for the state a job is in.")
    desired = _family("skytools_job_desired", "Whether the job is meant to run.")
    numbers = [_family(name, text, kind) for name, kind, text, _ in _PER_JOB]
    for row in rows:
        name = row["job_name"]
        _add(info, 1, **{LABEL: name, "service_name": row["service"]})
        _add(desired, row["desired"] == "run", **{LABEL: name})
        for each in STATES:
            _add(state, each == row["state"], **{LABEL: name, "state": each})
        for family, (_, _, _, key) in zip(numbers, _PER_JOB, strict=True):
            _add(family, row[key], **{LABEL: name})
    return [info, state, desired, *numbers]


def up_family(ups: Mapping[str, bool]) -> Metric:
    """Return skytools_job_up: whether each job's metrics could be had just now."""
    family = _family("skytools_job_up", "Whether the job answered the last fetch of its metrics.")
    for name, up in sorted(ups.items()):
        _add(family, up, **{LABEL: name})
    return family
