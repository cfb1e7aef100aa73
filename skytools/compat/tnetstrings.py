# SPDX-License-Identifier: ISC
"""Tagged netstrings. Source: skytools.tnetstrings of Skytools 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["dumps", "loads"]

MAX_LENGTH = 999_999_999


def dumps(val: Any) -> bytes:
    """Return a value as tnetstring. Raises TypeError for what it cannot hold."""
    data, tag = _encode(val)
    return b"%d:%b%b" % (len(data), data, tag)


def _encode(val: Any) -> tuple[bytes, bytes]:  # noqa: PLR0911 - a table of types
    if val is None:
        return b"", b"~"
    if isinstance(val, bool):
        return (b"true" if val else b"false"), b"!"
    if isinstance(val, str):
        return val.encode(), b","
    if isinstance(val, bytes | bytearray | memoryview):
        return bytes(val), b","
    if isinstance(val, int):
        return str(val).encode(), b"#"
    if isinstance(val, float):
        return repr(val).encode(), b"^"
    if isinstance(val, Mapping):
        return b"".join(dumps(k) + dumps(v) for k, v in val.items()), b"}"
    if isinstance(val, list | tuple):
        return b"".join(dumps(item) for item in val), b"]"
    raise TypeError(f"no tnetstring for {type(val).__name__}")


def loads(binval: bytes) -> Any:
    """Return the value of a tnetstring; strings are decoded. Raises ValueError."""
    value, rest = _take(binval)
    if rest:
        raise ValueError("data after the value")
    return value


def _take(data: bytes) -> tuple[Any, bytes]:
    head, colon, rest = data.partition(b":")
    if not colon or not head.isdigit() or int(head) > MAX_LENGTH:
        raise ValueError("length expected")
    length = int(head)
    if len(rest) <= length:
        raise ValueError("data ends too early")
    return _decode(rest[:length], rest[length : length + 1]), rest[length + 1 :]


def _decode(body: bytes, tag: bytes) -> Any:  # noqa: PLR0911 - a table of tags
    if tag == b",":
        return body.decode()
    if tag == b"#":
        return int(body)
    if tag == b"^":
        return float(body)
    if tag == b"!" and body in (b"true", b"false"):
        return body == b"true"
    if tag == b"~" and not body:
        return None
    if tag == b"]":
        return _items(body)
    if tag == b"}":
        items = _items(body)
        return dict(zip(items[::2], items[1::2], strict=True))
    raise ValueError(f"bad value for tag {tag!r}")


def _items(body: bytes) -> list[Any]:
    items = []
    while body:
        value, body = _take(body)
        items.append(value)
    return items
