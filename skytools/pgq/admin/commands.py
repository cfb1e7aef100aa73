# SPDX-License-Identifier: ISC
"""The commands by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from skytools.pgq.admin import show
from skytools.pgq.admin.job import Job


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words (with `?`: may be left out) and switches, see cli.SWITCHES."""

    name: str
    run: Callable[[Job], int]
    help: str
    words: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


COMMANDS: tuple[Command, ...] = (
    Command("members", show.members, "list the nodes as the local one knows them"),
    Command("node-info", show.node_info, "show all that the local node says of itself"),
)
