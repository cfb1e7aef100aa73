# SPDX-License-Identifier: ISC
"""Command lines with sub-commands whose switches may stand anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence


def arrange(parser: argparse.ArgumentParser, argv: Sequence[str]) -> list[str]:
    """Return the arguments in the order that sub-parsers need: INI, COMMAND, then the switches.

    In Skytools 3 switches stood anywhere. Those that only the program itself knows go first.
    """
    (commands,) = (
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    own = _values(parser._actions)
    theirs = _values(
        action for sub in commands.choices.values() for action in sub._actions if sub is not parser
    )
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
        key = word.partition("=")[0]
        known, place = (own, first) if key in own else (theirs, rest)
        place.append(word)
        if known.get(key) and "=" not in word and left:
            place.append(left.pop(0))
    return [*first, *words[:2], *rest, *words[2:]]


def _values(actions: Iterable[argparse.Action]) -> dict[str, bool]:
    """Return switch -> whether it takes a value."""
    return {name: action.nargs != 0 for action in actions for name in action.option_strings}
