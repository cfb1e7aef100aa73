# SPDX-License-Identifier: ISC
"""Maintenance of one database: rotation, vacuum, whatever pgq.maint_operations() names."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.ticker import api
from skytools.daemons.ticker.metrics import TickerMetrics

log = logging.getLogger("skytools")

# An operation that keeps asking to be called again is left for the next run.
MAX_REPEATS = 100


def run_maintenance(
    database: Database,
    caps: api.Capabilities,
    metrics: TickerMetrics,
    stopping: Callable[[], bool],
) -> int:
    """Run every operation once, each in its own transaction; returns how many succeeded.

    An operation that fails is logged and counted, and the next one runs. Raises only when the
    list cannot be read or the connection is lost. The connection must be in autocommit mode,
    because vacuum refuses to run in a transaction block.
    """
    if caps.maint_operations:
        operations = api.maintenance_operations(database)
    else:
        operations = api.old_maintenance_operations(database, vacuum=caps.vacuum_list)
    done = 0
    for name, argument in operations:
        if stopping():
            return done
        if _run(database, name, argument, metrics, stopping):
            done += 1
    if done == len(operations):
        metrics.maint_success.labels(database=database.name).set(time.time())
    return done


def _run(
    database: Database,
    name: str,
    argument: str | None,
    metrics: TickerMetrics,
    stopping: Callable[[], bool],
) -> bool:
    seconds = metrics.maintenance_timer(database.name, name)
    try:
        for _ in range(MAX_REPEATS):
            with seconds.time():
                again = api.run_operation(database, name, argument)
            log.debug("%s: %s(%s) -> %s", database.name, name, argument or "", again)
            if again == 0 or stopping():
                return True
    except SkytoolsError as exc:
        if not database.connected:
            raise
        metrics.error(database.name, "maint")
        log.error("%s; in %s(%s)", exc, name, argument or "")
        return False
    log.warning("%s: %s(%s) asks for more than %d calls; the rest waits for the next run",
                database.name, name, argument or "", MAX_REPEATS)  # fmt: skip
    return True
