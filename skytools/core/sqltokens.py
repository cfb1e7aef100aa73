# SPDX-License-Identifier: ISC
"""Cutting SQL into tokens and statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, overload

Token = tuple[str, str]
Place = tuple[str, str, int]

# In this order; quoted names and strings may hold newlines.
_IDENT = r'[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"]|"")+"'
_WS = r"(?:\s+|--[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)+"
# An operator ends where a comment begins.
_OPERATOR = r"(?:(?!--|/\*)[-+*/<>=~!@#%^&|?])+|[][(),.;:]"
_STR_OLD = r"[Ee]?'(?:[^'\\]|''|\\.)*'"
_STR_STD = r"[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'"


def _compile(strings: str, ident: str) -> re.Pattern[str]:
    parts = {
        "str": strings,
        "ident": ident,
        "dolq": r"(?P<tag>\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$).*?(?P=tag)",
        "num": r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?",
        "numarg": r"\$[0-9]+",
        "pyold": r"%\([^)]*\)s",
        "pynew": r"\{[^}]*\}",
        "ws": _WS,
        "sym": _OPERATOR,
        "error": r".",
    }
    return re.compile("|".join(f"(?P<{k}>{v})" for k, v in parts.items()), re.DOTALL)


_FQIDENT = rf"(?:{_IDENT})(?:\.(?:{_IDENT}))*"
_SCANNERS = {
    (standard, fqident): _compile(
        _STR_STD if standard else _STR_OLD, _FQIDENT if fqident else _IDENT
    )
    for standard in (False, True)
    for fqident in (False, True)
}


@overload
def sql_tokenizer(
    sql: str,
    standard_quoting: bool = ...,
    ignore_whitespace: bool = ...,
    fqident: bool = ...,
    show_location: Literal[False] = ...,
) -> Iterator[Token]: ...
@overload
def sql_tokenizer(
    sql: str,
    standard_quoting: bool = ...,
    ignore_whitespace: bool = ...,
    fqident: bool = ...,
    show_location: bool = ...,
) -> Iterator[Token | Place]: ...
def sql_tokenizer(
    sql: str,
    standard_quoting: bool = False,
    ignore_whitespace: bool = False,
    fqident: bool = False,
    show_location: bool = False,
) -> Iterator[Token | Place]:
    """Yield (kind, text), with `show_location` also where the token ends.

    Kinds: ident, str, dolq, num, numarg ($1), pyold (%(x)s), pynew ({x}), ws, sym, error.
    `fqident` keeps a dotted name together.
    """
    for match in _SCANNERS[standard_quoting, fqident].finditer(sql):
        kind = match.lastgroup if match.lastgroup != "tag" else "dolq"
        assert kind is not None
        if ignore_whitespace and kind == "ws":
            continue
        if show_location:
            yield kind, match[0], match.end()
        else:
            yield kind, match[0]


def parse_statements(sql: str, standard_quoting: bool = False) -> Iterator[str]:
    """Yield statements with their semicolon.

    Raises ValueError on COPY FROM STDIN, whose data is no SQL, and on unbalanced parentheses.
    """
    parts: list[str] = []
    words: list[str] = []
    depth = 0
    for kind, text in sql_tokenizer(sql, standard_quoting=standard_quoting):
        if kind == "ws" and not parts:
            continue
        parts.append(text)
        depth += (text == "(") - (text == ")") if kind == "sym" else 0
        if depth < 0:
            raise ValueError("unbalanced ')'")
        if kind == "sym" and text == ";" and depth == 0:
            _refuse_copy(words)
            yield "".join(parts)
            parts, words = [], []
        elif kind == "ident":
            words.append(text.lower())
    if depth:
        raise ValueError("unbalanced '('")
    if parts:
        _refuse_copy(words)
        yield "".join(parts)


def _refuse_copy(words: list[str]) -> None:
    if words[:1] == ["copy"] and words[-2:] == ["from", "stdin"]:
        raise ValueError("COPY FROM STDIN among statements: its data cannot be told from SQL")
