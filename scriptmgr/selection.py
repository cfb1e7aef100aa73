# SPDX-License-Identifier: ISC
"""Which jobs a command line means."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from skytools.core.errors import UsageError
from skytools.core.registry import service_of
from skytools.scriptmgr.exits import UnknownJob

Row = Mapping[str, Any]


def select(
    rows: Sequence[Row], names: Sequence[str], service: str = "", *, everything: bool = False
) -> list[Row]:
    """Return the rows that names, globs, a service or `-a` stand for, in listing order.

    Raises UnknownJob when one of them stands for nothing.
    """
    chosen: list[Row] = []
    for pattern in names:
        found = [row for row in rows if fnmatch.fnmatchcase(row["job_name"], pattern)]
        if not found:
            known = ", ".join(sorted({row["job_name"] for row in rows})) or "none"
            raise UnknownJob(f"unknown job {pattern}; jobs: {known}")
        chosen += found
    if service:
        found = [row for row in rows if row["service"] == service_of(service)]
        if not found:
            known = ", ".join(sorted({row["service"] for row in rows if row["service"]})) or "none"
            raise UnknownJob(f"no job of service {service}; services: {known}")
        chosen += found
    if everything:
        # The manager's own helpers are stopped by name only.
        chosen += [row for row in rows if not row["internal"]]
    wanted = {id(row) for row in chosen}
    return [row for row in rows if id(row) in wanted]


def require_selection(
    names: Sequence[str], service: str, *, everything: bool, command: str
) -> None:
    """Raise UsageError when a command that changes something names no jobs."""
    if not names and not service and not everything:
        raise UsageError(f"{command}: no jobs given; name some, or -t SERVICE, or -a for all")
