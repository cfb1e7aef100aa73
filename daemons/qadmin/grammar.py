# SPDX-License-Identifier: ISC
"""Commands by their syntax: which one is meant, what is wrong with it, what may come next."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from skytools.core.errors import UsageError
from skytools.daemons.qadmin.lexer import Statement, Token, tokenize
from skytools.daemons.qadmin.syntax import Leaf, Node, Trace, parse_syntax

if TYPE_CHECKING:
    from skytools.daemons.qadmin.session import Session

# What people read for a kind of value.
KINDS = {
    "BATCH": "id of an open batch",
    "COMMAND": "first words of a command",
    "CONSUMER": "name of a consumer",
    "DBNAME": "name of a database",
    "EVENT": "id of an event",
    "HOST": "name of a host",
    "INTERVAL": "length of time, such as '10 ms' or '2 hours'",
    "LOCATION": "connect string, in quotes",
    "NODE": "name of a node",
    "NUMBER": "number",
    "PORT": "port",
    "QUEUE": "name of a queue",
    "SEQUENCE": "name of a sequence",
    "SUBCONSUMER": "name of a subconsumer",
    "TABLE": "name of a table",
    "TEXT": "text, in quotes",
    "TICK": "id of a tick",
    "TIME": "moment, such as '2026-01-31 12:00'",
    "USER": "name of a role",
}

Run = Callable[["Session", dict[str, Any]], None]


@dataclass(frozen=True)
class Command:
    """One command: its syntax, what it does in a line, and the function that does it."""

    syntax: str
    help: str
    run: Run
    node: Node = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "node", parse_syntax(self.syntax))


@dataclass(frozen=True, slots=True)
class Found:
    """A command with the values of a statement."""

    command: Command
    values: dict[str, Any]


class Grammar:
    """All commands. A statement that begins like none of them is SQL."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = tuple(commands)

    def parse(self, statement: Statement) -> Found | None:
        """Return the command of a statement, None for SQL.

        Raises UsageError, one line, when it begins like a command and goes on otherwise.
        """
        tokens = statement.tokens
        best, candidates = 0, list[tuple[Command, Trace]]()
        for command in self.commands:
            trace = Trace(tokens)
            for place, values in command.node.match(trace, 0, {}):
                if place == len(tokens):
                    return Found(command, dict(values))
                trace.want(place, Leaf(";"))
            if trace.place > best:
                best, candidates = trace.place, []
            if trace.place == best and best:
                candidates.append((command, trace))
        if not _is_ours(tokens, candidates):
            return None
        raise UsageError(_complaint(tokens, best, candidates))

    def nearest(self, statement: Statement) -> str:
        """Return the first words of the command that a statement may have been meant as, or ""."""
        begun = " ".join(token.value for token in statement.tokens[:2])
        known = [_first_words(command.syntax) for command in self.commands]
        return next(iter(get_close_matches(begun, known, 1, 0.75)), "")

    def expected(self, text: str) -> list[Leaf]:
        """Return what may come after a text, which ends before the word that is being typed."""
        tokens = tokenize(text, partial=True)
        found: list[Leaf] = []
        for command in self.commands:
            trace = Trace(tokens)
            for place, _ in command.node.match(trace, 0, {}):
                trace.want(place, Leaf(";"))
            if trace.place == len(tokens):
                found += [leaf for leaf in trace.expected if leaf not in found]
        return found

    def values_so_far(self, text: str) -> dict[str, Any]:
        """Return the values of a command that is not yet complete."""
        tokens = tokenize(text, partial=True)
        for command in self.commands:
            seen = _Recorder(tokens)
            for _ in command.node.match(seen, 0, {}):
                pass
            if seen.place == len(tokens):
                return seen.values
        return {}

    def matching(self, text: str) -> list[Command]:
        """Return the commands that a text may be the beginning of."""
        tokens = tokenize(text, partial=True)
        found = []
        for command in self.commands:
            trace = Trace(tokens)
            list(command.node.match(trace, 0, {}))
            last = trace.place == len(tokens) - 1 and any(
                leaf.is_value or leaf.text.startswith(tokens[-1].value) for leaf in trace.expected
            )
            if trace.place == len(tokens) or last:
                found.append(command)
        return found


def _first_words(syntax: str) -> str:
    words = syntax.removeprefix("[ show ] ").split()[:2]
    return " ".join(itertools.takewhile(str.islower, words))


class _Recorder(Trace):
    """A trace that remembers the values on the way to the last place."""

    __slots__ = ("values",)

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__(tokens)
        self.values: dict[str, Any] = {}

    def want(self, place: int, leaf: Leaf) -> None:
        """Note the value of the token at a place."""
        Trace.want(self, place, leaf)
        if place < len(self.tokens) and leaf.name and leaf.takes(self.tokens[place]):
            self.values[leaf.name] = self.tokens[place].value


def _is_ours(tokens: Sequence[Token], candidates: list[tuple[Command, Trace]]) -> bool:
    """Tell apart commands and SQL of the same first word: CREATE TABLE is not ours."""
    if not candidates:
        return False
    first = tokens[0].value
    if first not in ("show", "create", "drop", "alter", "insert"):
        return True
    return len(tokens) == 1 or any(trace.place > 1 for _, trace in candidates)


def _complaint(tokens: Sequence[Token], place: int, candidates: list[tuple[Command, Trace]]) -> str:
    wanted: list[str] = []
    for _, trace in candidates:
        for leaf in trace.expected:
            text = "the end" if leaf.text == ";" else leaf.text
            if text not in wanted:
                wanted.append(text)
    got = tokens[place].raw if place < len(tokens) else "the end"
    told = f"{got}: expected {' or '.join(wanted)}"
    if len(candidates) == 1:
        told += f"; syntax: {candidates[0][0].syntax}"
    return told
