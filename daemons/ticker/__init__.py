# SPDX-License-Identifier: ISC
"""pgqd, the ticker: keeps the queues of many databases ticking, rotated and retried.

Three threads serve each database (ticking, maintenance, upkeep) and one looks for databases; the
main thread only watches and reports. Threads, because nearly all of their time is waiting inside
libpq, where a connection attempt, a name lookup or a statement that hangs can hang only its own
thread; an event loop would still stand still during each of these, and a process per database
costs megabytes. An idle thread costs nothing.
"""

from __future__ import annotations

from skytools.core.program import main as run_main
from skytools.daemons.ticker.daemon import TickerDaemon

__all__ = ["TickerDaemon", "main"]


def main() -> None:
    """Run pgqd as a program."""
    run_main(TickerDaemon)
