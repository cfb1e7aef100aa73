# SPDX-License-Identifier: ISC
"""The commands about tables, a file for each group; those about nodes are in skytools.pgq.admin.

A module is loaded when one of its commands is wanted: that takes longer than many a command.
"""

from __future__ import annotations

import importlib

from skytools.daemons.londiste.commands.base import Command

__all__ = ["COMMANDS", "Command", "load"]

# Command -> module.
COMMANDS: dict[str, str] = {
    "worker": "work",
    "copy": "work",
    "add-table": "add_table",
    "remove-table": "tables",
    "change-handler": "tables",
    "resync": "tables",
    "add-seq": "seqs",
    "remove-seq": "seqs",
    "tables": "listing",
    "seqs": "listing",
    "missing": "listing",
    "show-handlers": "listing",
    "wait-sync": "waiting",
    "compare": "verify",
    "repair": "verify",
    "execute": "execute",
    "check": "check",
    "fkeys": "check",
}


def load(name: str) -> Command:
    """Return a command by its name."""
    module = importlib.import_module(f"{__name__}.{COMMANDS[name]}")
    found: Command = next(one for one in module.COMMANDS if one.name == name)
    return found
