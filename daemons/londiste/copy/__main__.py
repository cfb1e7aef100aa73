# SPDX-License-Identifier: ISC
"""The child of a worker: `... PARENT LEVEL LOGFILE INI copy`.

The name of the ini is for people who look at the list of processes.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from skytools.core import logs
from skytools.core.processes import die_with_parent
from skytools.daemons.londiste.copy.program import run_child

NEVER = 1 << 62


def main() -> int:
    """Run until the work is done."""
    die_with_parent(int(sys.argv[1]))
    level, logfile = int(sys.argv[2]), sys.argv[3]
    # The worker turns its file over; we only add to it.
    path = Path(logfile) if logfile != "-" else None
    logs.setup(level=level, console=True, logfile=path, log_size=NEVER, log_count=1)
    code = run_child()
    logging.shutdown()
    return code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
