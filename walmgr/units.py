# SPDX-License-Identifier: ISC
"""Servers that systemd has started.

When such a server ends, systemd runs the stop command of its unit, which stops whatever runs on the
data folder by then: a server that is started at once would be gone again.
"""

from __future__ import annotations

from pathlib import Path

from skytools.walmgr import postgres
from skytools.walmgr.remote import UNIT_DOWN, UNIT_OF, Host


def stop(host: Host, program: Path, datadir: Path, mode: str = "fast") -> None:
    """Stop a server by pg_ctl, and wait until its unit is down. Raises ProgramError."""
    unit = unit_of(host, datadir)
    host.check([program, "-D", datadir, "-m", mode, "--wait", "--silent", "stop"])
    wait_until_down(host, unit)


def unit_of(host: Host, datadir: Path) -> str:
    """Return the unit whose main process is the server on a data folder, empty for none."""
    pid = postgres.running_pid(host, datadir)
    if pid is None:
        return ""
    done = host.run(["sh", "-c", UNIT_OF, "unit", str(pid)])
    return done.out.strip() if done.code == 0 else ""


def wait_until_down(host: Host, unit: str) -> None:
    """Wait until a unit knows that its server has ended, half a minute at most."""
    if unit:
        host.run(["sh", "-c", UNIT_DOWN, "down", unit])
