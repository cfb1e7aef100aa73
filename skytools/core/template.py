# SPDX-License-Identifier: ISC
"""What option declarations look like to people: `--ini` templates and reference tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from skytools.core.config import REQUIRED, Declared, options


def show(value: Any) -> str:
    """Return a default as it is written in an ini."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def render_ini(
    cls: type[Any], section: str, description: str = "", values: Mapping[str, str] | None = None
) -> str:
    """Return a commented template: required keys open, the rest commented out at their default."""
    given = dict(values or {})
    lines = [f"# {line}" for line in textwrap.wrap(description, 76)]
    lines += [f"[{section}]", ""]
    for declared in options(cls):
        lines += [f"# {line}" for line in textwrap.wrap(describe(declared), 76)]
        if declared.name in given:
            lines.append(f"{declared.name} = {given[declared.name]}")
        elif declared.option.default is REQUIRED:
            lines.append(f"{declared.name} = {declared.option.example}")
        else:
            lines.append(f"#{declared.name} = {show(declared.option.default)}")
        lines.append("")
    return "\n".join(lines)


def render_docs(cls: type[Any]) -> str:
    """Return the options as a Markdown table."""
    rows = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    for declared in options(cls):
        default = (
            "required" if declared.option.default is REQUIRED else show(declared.option.default)
        )
        text = describe(declared).replace("|", "\\|")
        rows.append(f"| `{declared.name}` | {declared.kind} | {default} | {text} |")
    for key, why in cls.LEGACY.items():
        rows.append(f"| `{key}` | ignored | | Accepted with a warning: {why}. |")
    return "\n".join(rows) + "\n"


def describe(declared: Declared) -> str:
    """Return the help text with unit, range and older names."""
    opt = declared.option
    facts = [f for f in (_unit(opt.unit), str(opt.bounds)) if f]
    text = opt.help + (f" ({', '.join(facts)})" if facts else "")
    if opt.aliases:
        text += f" Older name: {', '.join(opt.aliases)}."
    return text


def _unit(unit: str) -> str:
    return {"s": "seconds"}.get(unit, unit)
