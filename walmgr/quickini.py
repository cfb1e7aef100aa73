# SPDX-License-Identifier: ISC
"""Read the [walmgr] section of an ini without configparser, which takes longer than all else.

Understands what skytools.core.ini does (a test holds the two together) but checks nothing: the
other verbs do that. A file that cannot be read raises WalError.
"""

from __future__ import annotations

import os

from skytools.walmgr.wal import WalError

SECTION = "walmgr"
MAX_DEPTH = 10


def read(path: str) -> dict[str, str]:
    """Return the keys of the section with every `%(name)s` filled in."""
    path = os.path.abspath(os.path.expanduser(path))
    defaults, section = _parse(_lines(path, 0), path)
    folder, base = os.path.split(path)
    names = {
        "job_name": base.rsplit(".", 1)[0] if "." in base[1:] else base,
        "service_name": SECTION,
        "host_name": os.uname().nodename,
        "config_dir": folder,
        "config_file": path,
        **defaults,
        **section,
    }
    own = {**defaults, **section}
    return {key: _fill(own[key], names, f"{path}: [{SECTION}] {key}", 0).strip() for key in own}


def _lines(path: str, depth: int) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as exc:
        raise WalError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise WalError(f"{path}: is not UTF-8 text (byte {exc.start})") from exc
    lines = []
    for line in text.splitlines():
        if line.startswith("%include ") and depth < MAX_DEPTH:
            included = os.path.expanduser(line.split(None, 1)[1].strip())
            folder = os.path.dirname(path)
            lines += _lines(os.path.join(folder, included), depth + 1)
        else:
            lines.append(line)
    return lines


def _parse(lines: list[str], path: str) -> tuple[dict[str, str], dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    key = ""
    for line in lines:
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if line[0] in " \t" and key and current is not None:
            current[key] += "\n" + text
        elif text[0] == "[" and "]" in text:
            current, key = sections.setdefault(text[1 : text.rindex("]")], {}), ""
        elif current is not None:
            at = min((text.find(c) for c in "=:" if c in text), default=-1)
            if at < 1:
                raise WalError(f"{path}: not a 'key = value' line: {text}")
            key = text[:at].strip().lower()
            current[key] = text[at + 1 :].strip()
    if SECTION not in sections:
        raise WalError(f"{path}: section [{SECTION}] is missing")
    return sections.get("DEFAULT", {}), sections[SECTION]


def _fill(text: str, names: dict[str, str], where: str, depth: int) -> str:
    """Source: the interpolation of Python's configparser, which Skytools 3 used."""
    if "%" not in text:
        return text
    if depth >= MAX_DEPTH:
        raise WalError(f"{where}: refers to itself")
    before, _, rest = text.partition("%")
    if rest.startswith("%"):
        return before + "%" + _fill(rest[1:], names, where, depth)
    name, close, rest = rest.partition(")s")
    if not name.startswith("(") or not close or name[1:].lower() not in names:
        raise WalError(f"{where}: has a bad '%', or refers to an unknown key")
    value = _fill(names[name[1:].lower()], names, where, depth + 1)
    return before + value + _fill(rest, names, where, depth)
