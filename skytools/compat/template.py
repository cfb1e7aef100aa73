# SPDX-License-Identifier: ISC
"""`--ini`: a sample ini put together from the docstrings of a script's classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skytools.compat.parsing import dedent

_MARK = "Config template"
_COMMENT = "#;"


def render(cls: type, section: str, values: Mapping[str, str]) -> str:
    """Return the ini: the templates of the class and its bases, with `values` (--set) put in."""
    left = dict(values)
    lines = [f"[{section}]", ""]
    first = True
    for base in cls.__mro__:
        fragment = _fragment(base.__dict__.get("__doc__") or "")
        if not fragment:
            continue
        if not first:
            lines += [f"## Keys of {base.__name__} ##", ""]
        first = False
        lines += [*_with_values(fragment, left), ""]
    lines += [f"{key} = {value}" for key, value in left.items()]
    return "\n".join(lines).rstrip() + "\n"


def _fragment(doc: str) -> list[str]:
    """Return the lines below "Config template::", up to the next line that is not indented."""
    lines = iter(dedent(doc).splitlines())
    for line in lines:
        if line.strip().startswith(_MARK):
            break
    block = []
    for line in lines:
        if line and not line[0].isspace():
            break
        block.append(line)
    return dedent("\n" + "\n".join(block)).rstrip().splitlines()


def _with_values(fragment: list[str], values: dict[str, str]) -> Iterator[str]:
    for line in fragment:
        key = line.lstrip(_COMMENT).partition("=")[0].strip().lower()
        if "=" not in line or key not in values:
            yield line
            continue
        if line[0] in _COMMENT:
            yield line
        yield f"{key} = {values.pop(key)}"
