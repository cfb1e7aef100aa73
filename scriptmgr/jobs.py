# SPDX-License-Identifier: ISC
"""What a job is: one section of one ini file, and how to run it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# What supervisord.conf, metric labels and file names can all carry unquoted.
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

EXPORTER = "skytools-exporter"
EXPORTER_SERVICE = "exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. With `error` set it is rejected: shown with that reason, never started."""

    name: str
    service: str = ""
    config: str = ""
    section: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    disabled: bool = False
    priority: int = 500
    notify: bool = True
    watchdog_sec: float = 0.0
    stop_timeout: float = 60.0
    max_restarts: int = 0
    logfile: str = ""
    digest: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def internal(self) -> bool:
        """Whether the job is the manager's own, which `-a` leaves alone."""
        return self.name == EXPORTER

    def same_command(self, other: Job) -> bool:
        """Tell whether the two differ only in what the daemon itself reads (HUP is enough)."""
        same = dataclasses.replace(other, digest=self.digest, logfile=self.logfile)
        return dataclasses.replace(same, warnings=self.warnings) == self

    def same(self, other: Job) -> bool:
        """Tell whether nothing that matters to the running process has changed."""
        return self.same_command(other) and self.digest == other.digest


def to_data(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return jobs as JSON data."""
    return [dataclasses.asdict(job) for job in jobs]


def from_data(data: Iterable[dict[str, Any]]) -> list[Job]:
    """Read jobs back from JSON data."""
    jobs = []
    for item in data:
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in item.items()
        }
        jobs.append(Job(**values))
    return jobs


def sort_key(job: Job) -> tuple[str, str, str]:
    """Return the order of listings: service, then name."""
    return (job.service, job.name, job.config)
