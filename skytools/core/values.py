# SPDX-License-Identifier: ISC
"""Text of an ini file -> typed value. A converter raises ValueError with the text for the user."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

Converter = Callable[[str], Any]

_TRUE = frozenset(("1", "yes", "true", "on"))
_FALSE = frozenset(("0", "no", "false", "off"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a value may be."""

    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()

    def require(self, value: float) -> None:
        """Raise ValueError when the number is out of range."""
        if self.min is not None and value < self.min:
            raise ValueError(f"{value:g} is too small: at least {self.min:g}")
        if self.max is not None and value > self.max:
            raise ValueError(f"{value:g} is too large: at most {self.max:g}")

    def __str__(self) -> str:
        if self.choices:
            return " | ".join(self.choices)
        parts = []
        if self.min is not None:
            parts.append(f"at least {self.min:g}")
        if self.max is not None:
            parts.append(f"at most {self.max:g}")
        return ", ".join(parts)


def converter(annotation: Any, bounds: Bounds) -> tuple[Converter, str]:  # noqa: PLR0911
    """Return the converter of a type annotation and the kind it has in docs."""
    if get_origin(annotation) is types.UnionType:
        inner = next(a for a in get_args(annotation) if a is not type(None))
        convert, kind = converter(inner, bounds)
        return (lambda text: convert(text) if text else None), kind
    if annotation is bool:
        return _boolean, "boolean"
    if annotation is int:
        return (lambda text: _integer(text, bounds)), "integer"
    if annotation is float:
        return (lambda text: _number(text, bounds)), "number"
    if annotation is Path:
        return _path, "file"
    if get_origin(annotation) is tuple:
        return _words, "list"
    if annotation is str:
        return (lambda text: _choice(text, bounds)), "text"
    raise TypeError(f"option of unsupported type {annotation!r}")


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither yes (1, true, on) nor no (0, false, off)")


def _integer(text: str, bounds: Bounds) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None
    bounds.require(value)
    return value


def _number(text: str, bounds: Bounds) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    bounds.require(value)
    return value


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text}: there is no such user's home") from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _choice(text: str, bounds: Bounds) -> str:
    if bounds.choices and text not in bounds.choices:
        raise ValueError(f"{text!r} is none of: {', '.join(bounds.choices)}")
    return text
