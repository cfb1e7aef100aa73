# SPDX-License-Identifier: ISC
"""The command line that every script has. Source: Skytools 3."""

from __future__ import annotations

import argparse
import optparse
import signal
from typing import Any

SIGNALS = {"reload": signal.SIGHUP, "stop": signal.SIGINT, "kill": signal.SIGTERM}

# (names, keywords) in the words that optparse and argparse share.
_SWITCHES: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-q", "--quiet"), {"action": "store_true", "help": "log only errors and warnings"}),
    (("-v", "--verbose"), {"action": "count", "help": "log more; twice: even more"}),
    (("-d", "--daemon"), {"action": "store_true", "help": "go to the background"}),
    (("-V", "--version"), {"action": "store_true", "help": "print the version and end"}),
    (("--ini",), {"action": "store_true", "help": "print a sample ini and end"}),
    (("--set",), {"action": "append", "metavar": "KEY=VALUE", "help": "override a key"}),
)
_CONTROL: tuple[tuple[tuple[str, ...], str], ...] = (
    (("-r", "--reload"), "reread the ini (send SIGHUP)"),
    (("-s", "--stop"), "stop after the current work (send SIGINT)"),
    (("-k", "--kill"), "the same by SIGTERM; twice within a second stops at once"),
)


def add_optparse(parser: optparse.OptionParser) -> None:
    """Declare the switches on an optparse parser."""
    for names, keywords in _SWITCHES:
        parser.add_option(*names, default=None, **keywords)
    group = optparse.OptionGroup(parser, "control the running process")
    for names, text in _CONTROL:
        const = names[1].lstrip("-")
        group.add_option(*names, action="store_const", const=const, dest="cmd", help=text)
    parser.add_option_group(group)


def add_argparse(parser: argparse.ArgumentParser) -> None:
    """Declare the switches and the arguments on an argparse parser."""
    for names, keywords in _SWITCHES:
        parser.add_argument(*names, default=None, **keywords)
    group = parser.add_argument_group("control the running process")
    for names, text in _CONTROL:
        const = names[1].lstrip("-")
        group.add_argument(*names, action="store_const", const=const, dest="cmd", help=text)
    parser.add_argument("args", nargs="*", help=argparse.SUPPRESS)
