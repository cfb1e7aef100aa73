# SPDX-License-Identifier: ISC
"""Text of the console: split into statements at `;`, and each into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from skytools.core.errors import UsageError

# In the order in which they are tried. What is neither is a symbol of one character.
_PATTERN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$)
      | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<word>(?!\$(?:[A-Za-z_]\w*)?\$)(?:[\w.:@\#%+~?!^&|<>]|\$(?!\$)|/(?!\*)|-(?!-))+)
      | (?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)
# What a quote that is not closed begins with.
_OPENERS = ("'", '"', "/*", "$")


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    STRING = "string"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `value` is without quotes; words are in lower case. `start` is its offset."""

    kind: Kind
    value: str
    raw: str
    start: int

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.start + len(self.raw)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without its `;`. `line` is where it begins, from 1."""

    text: str
    tokens: tuple[Token, ...]
    line: int = 1


class UnfinishedError(UsageError):
    """A quote or comment is still open: more text may close it."""


def tokenize(text: str, *, partial: bool = False) -> list[Token]:
    """Return the tokens of a text, comments left out.

    `partial` takes a quote that is not closed for one that ends with the text; otherwise it
    raises UnfinishedError.
    """
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        match = _PATTERN.match(text, place)
        assert match is not None
        if match["symbol"] and text.startswith(_OPENERS, place):
            if not partial:
                raise UnfinishedError(f"{match['symbol']} is opened and not closed: {text[place:]}")
            tokens.append(Token(Kind.STRING, text[place + 1 :], text[place:], place))
            return tokens
        if not match["space"]:
            tokens.append(_token(match))
        place = match.end()
    return tokens


def _token(match: re.Match[str]) -> Token:
    raw, start = match[0], match.start()
    if match["word"]:
        return Token(Kind.WORD, raw.lower(), raw, start)
    if match["string"]:
        value = raw[raw.index("'") + 1 : -1].replace("''", "'")
        return Token(Kind.STRING, value, raw, start)
    if match["quoted"]:
        return Token(Kind.STRING, raw[1:-1].replace('""', '"'), raw, start)
    if match["dollar"]:
        width = len(match["tag"] or "") + 2
        return Token(Kind.STRING, raw[width:-width], raw, start)
    return Token(Kind.SYMBOL, raw, raw, start)


def split(text: str) -> tuple[list[Statement], str]:
    """Return the statements of a text that are ended by `;`, and what comes after the last.

    Raises UnfinishedError for a quote that is not closed.
    """
    statements: list[Statement] = []
    current: list[Token] = []
    begin = 0
    for token in tokenize(text):
        if token.kind is Kind.SYMBOL and token.value == ";":
            if current:
                statements.append(_statement(text, current))
            current, begin = [], token.end
        else:
            current.append(token)
    return statements, text[begin:] if current else ""


def statement(text: str) -> Statement:
    """Return one statement, which has no `;` at its end."""
    return _statement(text, tokenize(text))


def _statement(text: str, tokens: list[Token]) -> Statement:
    begin, end = (tokens[0].start, tokens[-1].end) if tokens else (0, 0)
    return Statement(text[begin:end], tuple(tokens), text.count("\n", 0, begin) + 1)


def quote(name: str) -> str:
    """Return a name as it has to be written: quoted when a word would not do."""
    tokens = tokenize(name, partial=True)
    if len(tokens) == 1 and tokens[0].kind is Kind.WORD and tokens[0].value == name:
        return name
    return "'" + name.replace("'", "''") + "'"
