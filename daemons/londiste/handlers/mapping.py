# SPDX-License-Identifier: ISC
"""Files of nested names, in JSON or in the part of YAML that people write such files in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from skytools.core.errors import UsageError

_LINE = re.compile(r"""( *)("[^"]*"|'[^']*'|[^\s:"'#][^:#]*?)\s*:(?:\s+(\S.*?))?\s*""")
_COMMENT = re.compile(r"(^|\s)#.*")


def read(path: Path) -> dict[str, Any]:
    """Read a file of `name: value` and `name:` with more below, indented.

    Raises UsageError with the line that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror}") from exc
    if text.lstrip().startswith("{"):
        return _json(path, text)
    top: dict[str, Any] = {}
    open_maps: list[tuple[int, dict[str, Any]]] = [(-1, top)]
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).rstrip()
        if not line or line == "---":
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(f"{path}, line {number}: `name: value` or `name:` expected")
        indent, name, value = len(match[1]), match[2].strip("\"'"), match[3]
        while open_maps[-1][0] >= indent:
            open_maps.pop()
        here = open_maps[-1][1]
        if name in here:
            raise UsageError(f"{path}, line {number}: {name} for the second time")
        if value is None:
            here[name] = {}
            open_maps.append((indent, here[name]))
        else:
            here[name] = value.strip("\"'")
    return top


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise UsageError(f"{path}: {exc}") from exc
    if not isinstance(found, dict):
        raise UsageError(f"{path}: an object is expected")
    return found
