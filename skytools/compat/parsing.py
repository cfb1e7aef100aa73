# SPDX-License-Identifier: ISC
"""Parsing of what PostgreSQL and triggers print. Source: skytools.parsing of Skytools 3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from skytools.compat.dbdict import dbdict
from skytools.compat.quoting import unescape, unquote_ident, unquote_literal
from skytools.core.sqltokens import parse_statements, sql_tokenizer

__all__ = [
    "dedent",
    "hsize_to_bytes",
    "merge_connect_string",
    "parse_acl",
    "parse_connect_string",
    "parse_logtriga_sql",
    "parse_pgarray",
    "parse_sqltriga_sql",
    "parse_statements",
    "parse_tabbed_table",
    "sql_tokenizer",
]

Row = dbdict[Any]

_DIMENSIONS = re.compile(r"(?:\[-?\d+:-?\d+\])+=")
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}]+)', re.DOTALL)
_SIZE = re.compile(r"(\d+)\s*([KMGTPEZY]?)B?", re.IGNORECASE)
_UNITS = "KMGTPEZY"
_ACL = re.compile(
    r'(?:group\s+)?("(?:[^"]|"")*"|[^"=]*)(?:=([a-z*]*))?(?:/("(?:[^"]|"")*"|[^"=]*))?',
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"\s*([a-z_][a-z0-9_]*)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s'\\][^\s\\]*)\s*", re.IGNORECASE
)


def parse_pgarray(array: str | None) -> list[str | None] | None:
    """Return the elements of a one-dimensional array's text; NULL is None.

    Raises ValueError when it is none.
    """
    if array is None:
        return None
    text = _DIMENSIONS.sub("", array, count=1)
    if len(text) < 2 or text[0] != "{" or text[-1] != "}":
        raise ValueError(f"bad array format: {{...}} expected, not {array!r}")
    return list(_elements(text[1:-1]))


def _elements(body: str) -> Iterator[str | None]:
    position = 0
    while position < len(body):
        match = _ELEMENT.match(body, position)
        if match is None or body[match.end() : match.end() + 1] not in ("", ","):
            raise ValueError(f"bad array element at {body[position:]!r}")
        quoted, plain = match.groups()
        if quoted is not None:
            yield re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        else:
            yield None if plain.lower() == "null" else unescape(plain)
        position = match.end() + 1


def parse_logtriga_sql(op: str, sql: str, splitkeys: bool = False) -> Row | tuple[Row, Row]:
    """Return the columns of a partial I, U or D statement of logtriga as a row.

    `splitkeys`: (key columns, data columns). Raises ValueError when it cannot be understood.
    """
    return parse_sqltriga_sql(op, sql, None, splitkeys)


def parse_sqltriga_sql(
    op: str, sql: str, pklist: Sequence[str] | None = None, splitkeys: bool = False
) -> Row | tuple[Row, Row]:
    """Return the columns of a partial I, U or D statement of sqltriga as a row.

    `pklist` tells the key columns that a full row of an insert has. `splitkeys`: (key columns,
    data columns). Raises ValueError when it cannot be understood.
    """
    tokens = list(sql_tokenizer(sql, ignore_whitespace=True))
    parts = _Partial([(t[0], t[1]) for t in tokens])
    keys: Row = dbdict()
    data: Row = dbdict()
    if op == "I":
        data.update(parts.insert())
    elif op == "U":
        data.update(parts.assignments(","))
        if parts.left:
            parts.word("where")
            keys.update(parts.assignments("and"))
    elif op == "D":
        keys.update(parts.assignments("and"))
    else:
        raise ValueError(f"unknown operation {op!r}: I, U or D expected")
    if parts.left:
        raise ValueError(f"unexpected {parts.left[0][1]!r} in {sql!r}")
    if splitkeys:
        return keys, data
    return dbdict({**data, **keys})


class _Partial:
    """The tokens of a partial statement, eaten from the left."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.left = tokens

    def next(self, *kinds: str) -> str:
        if not self.left or self.left[0][0] not in kinds:
            found = self.left[0][1] if self.left else "the end"
            raise ValueError(f"{' or '.join(kinds)} expected, found {found}")
        return self.left.pop(0)[1]

    def word(self, *words: str) -> str:
        found = self.next("ident", "sym")
        if found.lower() not in words:
            raise ValueError(f"{' or '.join(words)} expected, found {found}")
        return found.lower()

    def value(self) -> str | None:
        return unquote_literal(self.next("str", "num", "ident", "dolq"))

    def assignments(self, separator: str) -> dict[str, str | None]:
        out = {}
        while True:
            name = unquote_ident(self.next("ident"))
            self.word("=")
            out[name] = self.value()
            if not self.left or self.left[0][1].lower() != separator:
                return out
            self.left.pop(0)

    def insert(self) -> dict[str, str | None]:
        names: list[str] = []
        values: list[str | None] = []
        self.word("(")
        while not names or self.word(",", ")") == ",":
            names.append(unquote_ident(self.next("ident")))
        self.word("values")
        self.word("(")
        while not values or self.word(",", ")") == ",":
            values.append(self.value())
        return dict(zip(names, values, strict=True))


def parse_acl(acl: str) -> tuple[str | None, str | None, str | None]:
    """Return (who, privileges, grantor) of an ACL item; None for what it does not say."""
    match = _ACL.fullmatch(acl)
    if match is None:
        raise ValueError(f"bad ACL item: {acl!r}")
    who, privileges, grantor = match.groups()
    return unquote_ident(who) or None, privileges, unquote_ident(grantor or "") or None


def parse_tabbed_table(txt: str) -> list[dict[str, str]]:
    """Return the rows of a table separated by tabs; the first line has the names."""
    names: list[str] | None = None
    rows = []
    for line in txt.splitlines():
        if not line.strip():
            continue
        fields = line.split("\t")
        if names is None:
            names = fields
        elif len(fields) == len(names):
            rows.append(dict(zip(names, fields, strict=True)))
    return rows


def parse_connect_string(cstr: str) -> list[tuple[str, str]]:
    """Return the parameters of a connect string in order. Raises ValueError."""
    out: list[tuple[str, str]] = []
    position = 0
    while position < len(cstr.rstrip()):
        match = _PARAMETER.match(cstr, position)
        if match is None:
            raise ValueError(f"invalid connect string: {cstr!r}")
        value = match[2]
        if value.startswith("'"):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        out.append((match[1], value))
        position = match.end()
    return out


def merge_connect_string(cstr_arg_list: Sequence[tuple[str, str]]) -> str:
    """Return a connect string of parameters."""
    return " ".join(f"{key}={_connect_value(value)}" for key, value in cstr_arg_list)


def _connect_value(value: str) -> str:
    if value and not re.search(r"[\s'\\]", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def dedent(doc: str) -> str:
    """Return a docstring without the indentation of its first indented line."""
    out: list[str] = []
    prefix = None
    for line in doc.splitlines():
        text = line.rstrip()
        if text and not out and not text[0].isspace():
            out.append(text)  # the line of the opening quotes
            continue
        if not text and prefix is None:
            continue
        if prefix is None and text:
            prefix = text[: len(text) - len(text.lstrip())]
        if prefix and text.startswith(prefix):
            text = text[len(prefix) :]
        out.append(text)
    return "\n".join(out) + "\n" if out else ""


def hsize_to_bytes(input_str: str) -> int:
    """Return the number of bytes of "10", "4 MB", "2G" (base 1024). Raises ValueError."""
    match = _SIZE.fullmatch(input_str.strip())
    if match is None:
        raise ValueError(f"cannot parse size: {input_str!r}")
    power = _UNITS.index(match[2].upper()) + 1 if match[2] else 0
    return int(match[1]) * int(1024**power)
