# SPDX-License-Identifier: ISC
"""All commands together: the language of the console."""

from __future__ import annotations

from skytools.daemons.qadmin.commands import consumers, events, nodes, queues, shell, tables
from skytools.daemons.qadmin.grammar import Command, Grammar

ALL: tuple[Command, ...] = (
    *shell.COMMANDS,
    *queues.COMMANDS,
    *consumers.COMMANDS,
    *events.COMMANDS,
    *nodes.COMMANDS,
    *tables.COMMANDS,
)


def grammar() -> Grammar:
    """Return the grammar of all commands."""
    return Grammar(ALL)
