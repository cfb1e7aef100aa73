# SPDX-License-Identifier: ISC
"""What jobs print outside their own logs: the last line tells why one ended."""

from __future__ import annotations

from pathlib import Path

_TAIL = 4096
_SHOWN = 300
# Seconds that the time of a file may be behind the clock: the kernel's tick.
_COARSE = 0.02


def last_line(path: Path, since: float) -> str:
    """Return the last line of a file written after `since` (epoch), else ""."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            data = file.read()
        if path.stat().st_mtime < since - _COARSE:
            return ""
    except OSError:
        return ""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    text = next((line for line in reversed(lines) if line), "")
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN]
