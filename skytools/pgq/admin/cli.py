# SPDX-License-Identifier: ISC
"""The commands of cascade administration, for the command line of any program.

A program calls `add_commands` on its sub-parsers, parses what `arrange` returns, and when `opts`
has the attribute `admin`, calls `run`. Switches of Skytools 3 keep their names.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from skytools.core.arguments import arrange
from skytools.core.cli import Output
from skytools.core.errors import UsageError
from skytools.pgq.admin.commands import COMMANDS, Command
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Cascade
from skytools.pgq.admin.site import Site

__all__ = ["SWITCHES", "add_commands", "arrange", "run"]

SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "provider": {"metavar": "WHERE", "default": "",
                 "help": "create: connect string of the provider; change-provider: name of a node"},
    "merge": {"metavar": "QUEUE", "default": "",
              "help": "copy the events into this queue of the same database too"},
    "sync-watermark": {"metavar": "NODE,NODE", "default": "",
                       "help": "keep a watermark of its own together with these nodes"},
    "nocheck": {"action": "store_true",
                "help": "believe that the public connect string leads here"},
    "worker": {"metavar": "NAME", "default": "", "help": "name of the node's worker"},
    "node": {"metavar": "NODE", "default": "", "help": "node to act on; default: the local one"},
    "consumer": {"metavar": "NAME", "default": "", "help": "the consumer to act on"},
    "all": {"action": "store_true", "help": "the other subscribers of the old node follow too"},
    "dead": {"metavar": "NODE", "action": "append", "default": [],
             "help": "leave this node out as dead; may be repeated"},
    "dead-root": {"action": "store_true", "help": "the old node was the root and is gone"},
    "dead-branch": {"action": "store_true", "help": "the old node was no root and is gone"},
    "timeout": {"metavar": "SEC", "type": float, "default": None,
                "help": "longest wait for a worker or a lock; default 60"},
    "dry-run": {"action": "store_true", "help": "check, print the steps and change nothing"},
    "rehearse": {"action": "store_true",
                 "help": "check all that can be checked, up to the step that stops writers"},
    "abort": {"action": "store_true",
              "help": "undo a takeover that was interrupted before its point of no return"},
    "force": {"action": "store_true", "help": "go on where a worker does not answer"},
    "compact": {"action": "store_true", "help": "one line for each node"},
    "target": {"metavar": "NODE", "default": "", "help": argparse.SUPPRESS},
    "connstr": {"metavar": "CONNSTR", "default": "", "help": argparse.SUPPRESS},
}  # fmt: skip


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add a sub-parser for each command; it sets the attribute `admin` of the result."""
    for command in COMMANDS:
        parser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        for word in command.words:
            optional = word.endswith("?")
            parser.add_argument(
                word.rstrip("?").lower(), metavar=word.rstrip("?"), nargs="?" if optional else None
            )
        for name in command.switches:
            parser.add_argument(f"--{name}", **SWITCHES[name])
        parser.set_defaults(admin=command)


def run(opts: argparse.Namespace, site: Site, out: Output) -> int:
    """Do the command that was parsed and return the exit code. Raises SkytoolsError."""
    command: Command = opts.admin
    timeout = getattr(opts, "timeout", None)
    if timeout is not None and not 0 < timeout < 1e6:
        raise UsageError(f"--timeout {timeout:g}: seconds, more than 0")
    cascade = Cascade(site, dead=tuple(getattr(opts, "dead", ())))
    try:
        return command.run(Job(opts, site, out, cascade))
    finally:
        cascade.close()
