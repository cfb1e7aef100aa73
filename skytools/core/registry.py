# SPDX-License-Identifier: ISC
"""Daemons by service name, found through entry points; other packages may add theirs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from skytools.core.errors import UsageError

if TYPE_CHECKING:
    from importlib import metadata

GROUP = "skytools.daemons"

# Section names that Skytools 3 used for services we have under another name.
SERVICE_ALIASES = {
    "londiste3": "londiste",
    "data_maintainer3": "data_maintainer",
    "queue_mover3": "queue_mover",
    "queue_splitter3": "queue_splitter",
    "simple_consumer3": "simple_consumer",
    "simple_local_consumer3": "simple_local_consumer",
}


@functools.cache
def daemons() -> dict[str, metadata.EntryPoint]:
    """Return service name -> entry point of every installed daemon."""
    # Slow to import, and of every program only those that look for others need it.
    from importlib import metadata  # noqa: PLC0415

    return {entry.name: entry for entry in metadata.entry_points(group=GROUP)}


def service_of(section: str) -> str:
    """Return the service a section name stands for (itself unless it is an old alias)."""
    return SERVICE_ALIASES.get(section, section)


def load_daemon(service: str) -> Any:
    """Import a daemon class by service name. Raises UsageError when it cannot be had."""
    entry = daemons().get(service_of(service))
    if entry is None:
        known = ", ".join(sorted(daemons())) or "none"
        raise UsageError(f"unknown service {service}; installed: {known}")
    try:
        return entry.load()
    except (ImportError, AttributeError) as exc:
        raise UsageError(f"service {service} cannot be loaded from {entry.value}: {exc}") from exc
