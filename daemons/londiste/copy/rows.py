# SPDX-License-Identifier: ISC
"""Rows of COPY text, in UTF-8, that a handler changes on their way."""

from __future__ import annotations

import re

from skytools.daemons.londiste.apply.text import NULL, to_line
from skytools.daemons.londiste.copy.columns import Mapping
from skytools.daemons.londiste.copy.pipe import RowFilter
from skytools.daemons.londiste.handlers import Handler

# What the server writes; it reads more than that.
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def values_of(row: bytes) -> list[str | None]:
    """Return the values of a row as COPY TO has written it."""
    return [
        None if field == NULL else _ESCAPED.sub(lambda m: _ESCAPES.get(m[1], m[1]), field)
        for field in row.decode().removesuffix("\n").split("\t")
    ]


def row_filter(handler: Handler, mapping: Mapping) -> RowFilter:
    """Return the function that makes of each row what the handler wants; empty: left out."""
    names = mapping.columns

    def change(row: bytes) -> bytes:
        changed = handler.copy_event(dict(zip(names, values_of(row), strict=True)))
        if changed is None:
            return b""
        return (to_line(changed.get(name) for name in names) + "\n").encode()

    return change
