# SPDX-License-Identifier: ISC
"""The commands about tables, a file for each group; those about nodes are in skytools.pgq.admin."""

from skytools.daemons.londiste.commands import (
    add_table,
    execute,
    listing,
    seqs,
    tables,
    verify,
    waiting,
    work,
)
from skytools.daemons.londiste.commands import check as checks
from skytools.daemons.londiste.commands.base import Command, Env

__all__ = ["COMMANDS", "Command", "Env"]

COMMANDS: tuple[Command, ...] = (
    *work.COMMANDS,
    *add_table.COMMANDS,
    *tables.COMMANDS,
    *seqs.COMMANDS,
    *listing.COMMANDS,
    *waiting.COMMANDS,
    *verify.COMMANDS,
    *execute.COMMANDS,
    *checks.COMMANDS,
)
