# SPDX-License-Identifier: ISC
"""What command lines have in common: switches that may stand anywhere, --set KEY=VALUE."""

from __future__ import annotations

import argparse
import re
from collections.abc import Container, Iterable, Sequence
from typing import NoReturn

from skytools.core.errors import UsageError

HELP = ("-h", "--help")
_CHOICE = re.compile(
    r"argument (?P<what>[A-Z]+): invalid choice: '(?P<word>.*)' \(choose from (?P<choices>.*)\)"
)


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        wrong = _CHOICE.fullmatch(message)
        if wrong:
            choices = wrong["choices"].replace("'", "")
            message = f"unknown {wrong['what'].lower()} {wrong['word']}; there are: {choices}"
        raise UsageError(f"{message}; see {self.prog} --help")


def overrides_of(items: Iterable[str], switch: str = "--set") -> dict[str, str]:
    """Return key -> value of the switches --set KEY=VALUE. Raises UsageError."""
    out = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{switch} {item}: KEY=VALUE expected")
        out[key.strip().lower()] = value.strip()
    return out


def arrange(parser: argparse.ArgumentParser, argv: Sequence[str]) -> list[str]:
    """Return the arguments in the order that sub-parsers need: INI, COMMAND, then the switches.

    In Skytools 3 switches stood anywhere. Those that the program itself knows go first; a request
    for help is about the command, if there is one.
    """
    commands = _commands(parser)
    own, theirs = _values(parser._actions), command_switches(parser)
    first: list[str] = []
    words: list[str] = []
    rest: list[str] = []
    left = list(argv)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*first, *words[:2], *rest, "--", *words[2:], *left]
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        if word in HELP:
            (rest if _has_command(words, left, commands) else first).append(word)
            continue
        key = word.partition("=")[0]
        known, place = (own, first) if key in own else (theirs, rest)
        place.append(word)
        if known.get(key) and "=" not in word and left:
            place.append(left.pop(0))
    return [*first, *words[:2], *rest, *words[2:]]


def command_switches(parser: argparse.ArgumentParser) -> dict[str, bool]:
    """Return the switches of all commands -> whether they take a value."""
    return _values(action for sub in _commands(parser).values() for action in sub._actions)


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (found,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return dict(found.choices)


def _has_command(words: Sequence[str], left: Sequence[str], commands: Container[str]) -> bool:
    return any(word in commands for word in (*words, *left))


def _values(actions: Iterable[argparse.Action]) -> dict[str, bool]:
    """Return switch -> whether it takes a value."""
    return {name: action.nargs != 0 for action in actions for name in action.option_strings}
