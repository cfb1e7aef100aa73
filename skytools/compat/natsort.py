# SPDX-License-Identifier: ISC
"""Sorting as people do: digits by their value, `~` before everything.

Source: skytools.natsort of Skytools 3.8: a run that begins with zeros is a fraction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = [
    "natsort",
    "natsort_icase",
    "natsort_key",
    "natsort_key_icase",
    "natsorted",
    "natsorted_icase",
]

_PARTS = re.compile(r"\d+|[^\d~]+|~", re.ASCII)
_TILDE, _END, _ZEROS, _NUMBER, _TEXT = "\x00", "\x01", "Z", "a", "|"


def natsort_key(s: str) -> str:
    """Return a string that sorts as `s` should."""
    return "".join(_part(text) for text in _PARTS.findall(s)) + _END


def _part(text: str) -> str:
    if text == "~":
        return _TILDE
    if not text[0].isdecimal():
        # Punctuation that is below the digits stays there.
        return ("" if text[0] < "0" else _TEXT) + text + _END
    if text[0] == "0":
        zeros = len(text) - len(text.lstrip("0"))
        # More zeros make a smaller fraction; a four digit number keeps the keys comparable.
        return f"{_ZEROS}{9999 - zeros:04d}{text[zeros:]}{_END}"
    length = str(len(text))
    return _NUMBER + chr(ord("a") + len(length)) + length + text


def natsort(lst: list[str]) -> None:
    """Sort a list in place."""
    lst.sort(key=natsort_key)


def natsorted(lst: Sequence[str]) -> list[str]:
    """Return a sorted list."""
    return sorted(lst, key=natsort_key)


def natsort_key_icase(s: str) -> str:
    """Return a key that ignores case."""
    return natsort_key(s.lower())


def natsort_icase(lst: list[str]) -> None:
    """Sort a list in place, ignoring case."""
    lst.sort(key=natsort_key_icase)


def natsorted_icase(lst: Sequence[str]) -> list[str]:
    """Return a sorted list, ignoring case."""
    return sorted(lst, key=natsort_key_icase)
