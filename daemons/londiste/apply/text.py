# SPDX-License-Identifier: ISC
"""Values as text: of logutriga (urlencoded), of COPY, of SQL. None is NULL in each.

A row in COPY's format, a `line`, is the form in which changes wait to be written: it is made
from an event by a few calls of C, and sent as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from skytools.daemons.londiste.names import literal

NULL = "\\N"

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_UNESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
_ESCAPED = re.compile(r"\\(.)")

# Runs of encoded bytes; those of ASCII stand alone, so that the table below has them.
_ENCODED = re.compile(r"%[0-7][0-9a-fA-F]|(?:%[89a-fA-F][0-9a-fA-F])+")
_ASCII = {f"%{n:02x}": chr(n).translate(_ESCAPES) for n in range(128)}
_ASCII.update({key.upper(): text for key, text in list(_ASCII.items())})
# What rows have most beside times, replaced without a call for each: JSON, paths, addresses.
_COMMON = [(code, _ASCII[code]) for code in ("%22", "%2c", "%2f", "%40", "%7b", "%7d")]
MANY = 4


def to_line(values: Iterable[str | None]) -> str:
    """Return values as a line."""
    return "\t".join(
        NULL if value is None else value.translate(_ESCAPES) if needs_escape(value) else value
        for value in values
    )


def needs_escape(value: str) -> bool:
    """Tell whether a value is another text in a line."""
    return "\\" in value or "\t" in value or "\n" in value or "\r" in value


def from_line(line: str) -> list[str | None]:
    """Return the values of a line."""
    return [_value(field) for field in line.split("\t")]


def _value(field: str) -> str | None:
    if "\\" not in field:
        return field
    if field == NULL:
        return None
    return _ESCAPED.sub(lambda m: _UNESCAPES[m[1]], field)


def decode_line(line: str) -> str:
    """Decode fields that are urlencoded; what comes out is a line.

    Raises UnicodeDecodeError when the bytes are no UTF-8.
    """
    line = line.replace("+", " ")
    if "%" not in line:
        return line
    line = line.replace("%3a", ":").replace("%2b", "+")
    if "%" not in line:
        return line
    if line.count("%") > MANY:
        for code, text in _COMMON:
            line = line.replace(code, text)
    return _ENCODED.sub(_decoded, line)


def _decoded(match: re.Match[str]) -> str:
    found = match[0]
    text = _ASCII.get(found)
    return bytes.fromhex(found.replace("%", "")).decode() if text is None else text


def literals(line: str) -> str:
    """Return the values of a line as SQL, joined by commas."""
    if "\\" not in line:
        return "'" + line.replace("'", "''").replace("\t", "','") + "'"
    return ",".join(map(literal, from_line(line)))


class Lines:
    """Lines as a file that COPY reads, without a second copy of them all."""

    CHUNK = 1 << 20

    def __init__(self, lines: Sequence[str]) -> None:
        self._data = memoryview(("\n".join(lines) + "\n").encode() if lines else b"")
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next chunk, whatever size is asked for; nothing at the end."""
        start, self._position = self._position, self._position + self.CHUNK
        return bytes(self._data[start : self._position])

    def readline(self) -> bytes:
        """Say what a file must be able to; COPY does not call it."""
        return self.read()
