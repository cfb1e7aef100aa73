# SPDX-License-Identifier: ISC
"""TCP ports of the loopback for programs that bind them later: nobody takes one in between."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 1000
# What this process has claimed, until it ends.
_claims: list[socket.socket] = []


def claim_port(usual: int | None = None) -> int:
    """Return the usual port if it is free, else another one; it stays ours while we live.

    Others who ask here do not get it, nor does the kernel give it to a connection: the other
    ones lie below its range. Raises OSError when none is free.
    """
    highest = int(_CONNECTIONS.read_text().split()[0]) if _CONNECTIONS.exists() else 32768
    highest = max(highest, 2048)
    dice = random.SystemRandom()
    lowest = max(highest // 2, 1024)
    wanted = [] if usual is None else [usual]
    for port in [*wanted, *(dice.randrange(lowest, highest) for _ in range(_TRIES))]:
        if _claim(port):
            return port
    raise OSError("no free TCP port on 127.0.0.1")


def _claim(port: int) -> bool:
    # A name that is no file, one for a machine: it is gone when its owner is.
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0skytools-port-{port}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
