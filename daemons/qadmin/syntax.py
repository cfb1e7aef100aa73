# SPDX-License-Identifier: ISC
r"""The grammar of commands: written as people read it, and that text is what is parsed by.

| in a syntax text | stands for |
|---|---|
| `word` | the word itself |
| `QUEUE`, `CONSUMER2` | a value of that kind, given to the command as `queue`, `consumer2` |
| `[ x ]` | x or nothing |
| `( x \| y )` | one of them |
| `TABLE,..` | one or more, with commas |
| `{ a=KIND flag }` | one or more of these, in any order, with or without commas |
| `*` | the star, given as the value of the kind before it: `( QUEUE \| * )` |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skytools.daemons.qadmin.lexer import Kind, Token

Values = Mapping[str, Any]
State = tuple[int, Values]  # place in the tokens, values found so far

_ELEMENT = re.compile(
    r"\s*([a-z_][a-z_0-9-]*=[A-Z]+|[a-z_][a-z_0-9-]*|[A-Z]+[0-9]*|,\.\.|[][(){}|*=])"
)


@dataclass(slots=True)
class Trace:
    """What could have come at the last place that was reached: for errors and completion."""

    tokens: Sequence[Token]
    place: int = 0
    expected: list[Leaf] = field(default_factory=list)

    def want(self, place: int, leaf: Leaf) -> None:
        """Note that `leaf` is possible at a place."""
        if place > self.place:
            self.place, self.expected = place, []
        if place == self.place and leaf not in self.expected:
            self.expected.append(leaf)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Something that is one token: a word that stands for itself, or a value of a kind.

    `name` is the key of the value, None for a word: those are gathered as `words`.
    """

    text: str
    name: str | None = None

    @property
    def is_value(self) -> bool:
        """Whether any value of a kind will do."""
        return self.text.isupper()

    @property
    def kind(self) -> str:
        """The kind of the value: QUEUE of QUEUE2."""
        return self.text.rstrip("0123456789")

    def takes(self, token: Token) -> bool:
        """Tell whether a token will do."""
        if self.is_value:
            return token.kind is not Kind.SYMBOL
        return token.kind is not Kind.STRING and token.value == self.text

    def match(self, trace: Trace, place: int, values: Values) -> Iterator[State]:
        """Yield the state after this token, if it is there."""
        trace.want(place, self)
        if place < len(trace.tokens) and self.takes(trace.tokens[place]):
            if self.name is None:
                words = (*values.get("words", ()), self.text)
                yield place + 1, {**values, "words": words}
            else:
                yield place + 1, {**values, self.name: trace.tokens[place].value}


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other."""

    parts: tuple[Node, ...]

    def match(self, trace: Trace, place: int, values: Values) -> Iterator[State]:
        """Yield the states after all parts."""
        yield from self._rest(0, trace, place, values)

    def _rest(self, number: int, trace: Trace, place: int, values: Values) -> Iterator[State]:
        if number == len(self.parts):
            yield place, values
            return
        for after, found in self.parts[number].match(trace, place, values):
            yield from self._rest(number + 1, trace, after, found)


@dataclass(frozen=True, slots=True)
class Either:
    """One of several; nothing too when `optional`."""

    choices: tuple[Node, ...]
    optional: bool = False

    def match(self, trace: Trace, place: int, values: Values) -> Iterator[State]:
        """Yield the states after each choice that fits."""
        for choice in self.choices:
            yield from choice.match(trace, place, values)
        if self.optional:
            yield place, values


@dataclass(frozen=True, slots=True)
class Many:
    """A list with commas; its value is a list."""

    leaf: Leaf

    def match(self, trace: Trace, place: int, values: Values) -> Iterator[State]:
        """Yield the state after the longest list."""
        assert self.leaf.name is not None
        found: list[str] = []
        while True:
            states = list(self.leaf.match(trace, place, {}))
            if not states:
                return
            place, value = states[0]
            found.append(value[self.leaf.name])
            comma = Leaf(",")
            if not list(comma.match(trace, place, {})):
                yield place, {**values, self.leaf.name: found}
                return
            place += 1


@dataclass(frozen=True, slots=True)
class Settings:
    """`key=VALUE` and flags in any order; all of them are given as the value `options`."""

    leaves: tuple[tuple[Leaf, Leaf | None], ...]

    def match(self, trace: Trace, place: int, values: Values) -> Iterator[State]:
        """Yield the state after the longest run of settings."""
        found: dict[str, Any] = {}
        while True:
            after = self._one(trace, place, found)
            if after is None:
                break
            place = after
            if list(Leaf(",").match(trace, place, {})):
                place += 1
        if found and not _is_comma(trace.tokens, place - 1):
            yield place, {**values, "options": found}

    def _one(self, trace: Trace, place: int, found: dict[str, Any]) -> int | None:
        for key, value in self.leaves:
            if key.text in found or not list(key.match(trace, place, {})):
                continue
            if value is None:
                found[key.text] = True
                return place + 1
            row = Row((Leaf("="), value))
            for after, values in row.match(trace, place + 1, {}):
                found[key.text] = values["value"]
                return after
            return None
        return None


def _is_comma(tokens: Sequence[Token], place: int) -> bool:
    return tokens[place].kind is Kind.SYMBOL and tokens[place].value == ","


Node = Leaf | Row | Either | Many | Settings


class _Reader:
    """Reads a syntax text. Faults of it are our bugs: AssertionError."""

    def __init__(self, text: str) -> None:
        self.words = _ELEMENT.findall(text)
        assert "".join(self.words) == re.sub(r"\s", "", text), text
        self.last = ""

    def row(self) -> Node:
        parts: list[Node] = []
        while self.words and self.words[0] not in ("]", ")", "|"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def part(self) -> Node:
        word = self.words.pop(0)
        if word in ("[", "("):
            return self.choices("]" if word == "[" else ")")
        if word == "{":
            return self.settings()
        if word == "*":
            return Leaf("*", self.last)
        leaf = Leaf(word)
        if leaf.is_value:
            self.last = word.lower()
            leaf = Leaf(word, self.last)
            if self.words and self.words[0] == ",..":
                self.words.pop(0)
                return Many(leaf)
        return leaf

    def choices(self, end: str) -> Node:
        found = [self.row()]
        while self.words[0] == "|":
            self.words.pop(0)
            found.append(self.row())
        assert self.words.pop(0) == end
        return Either(tuple(found), optional=end == "]")

    def settings(self) -> Node:
        leaves: list[tuple[Leaf, Leaf | None]] = []
        while (word := self.words.pop(0)) != "}":
            key, _, kind = word.partition("=")
            leaves.append((Leaf(key), Leaf(kind, "value") if kind else None))
        return Settings(tuple(leaves))


def parse_syntax(text: str) -> Node:
    """Return what matches a syntax text."""
    reader = _Reader(text)
    node = reader.row()
    assert not reader.words, text
    return node
