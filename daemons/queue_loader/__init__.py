# SPDX-License-Identifier: ISC
"""queue_loader: loads the changes of rows into tables, by itself or parted by time."""

from __future__ import annotations

from skytools.core.program import main as run_main
from skytools.daemons.queue_loader.loader import QueueLoader

__all__ = ["QueueLoader", "main"]


def main() -> None:
    """Run queue_loader as a program."""
    run_main(QueueLoader)
