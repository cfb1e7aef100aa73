# SPDX-License-Identifier: ISC
"""From what was typed to names: patterns, --all, and what is not known."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.commands.base import Env
from skytools.pgq import node

log = logging.getLogger("londiste")


def is_pattern(text: str) -> bool:
    """Tell whether a word stands for several names."""
    return "*" in text or "?" in text


def matching(pattern: str, known: Collection[str]) -> list[str]:
    """Return the names that a pattern stands for; without a dot those of the schema public."""
    if "." not in pattern:
        pattern = f"{names.DEFAULT_SCHEMA}.{pattern}"
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    regex = re.compile("".join(parts), re.DOTALL)
    return sorted(name for name in known if regex.fullmatch(name))


def choose(words: Sequence[str], known: Collection[str], *, everything: bool) -> list[str]:
    """Return the names that words stand for, each once; plain names also when unknown.

    Raises UsageError when nothing was asked for.
    """
    if everything:
        if words:
            raise UsageError("give names or --all, not both")
        return sorted(known)
    if not words:
        raise UsageError("which? Give names, patterns with * and ?, or --all")
    found: dict[str, None] = {}
    for word in words:
        if is_pattern(word):
            here = matching(word, known)
            if not here:
                log.info("%s: nothing matches", word)
            found.update(dict.fromkeys(here))
        else:
            found[names.full(word)] = None
    return list(found)


def known_node(env: Env, name: str) -> str:
    """Return the name of a node of the cascade. Raises UsageError for others, and this one."""
    there = {one.node for one in node.locations(env.db, env.queue)} - {env.state.node_name}
    if name not in there:
        raise UsageError(f"--copy-node {name}: other nodes are {', '.join(sorted(there))}")
    return name


def require(wanted: Sequence[str], known: Collection[str], *, hint: str, force: bool) -> list[str]:
    """Return those that are known. Raises SkytoolsError for others, unless `force`."""
    unknown = [name for name in wanted if name not in known]
    for name in unknown:
        log.warning("%s not available", name)
    if unknown and not force:
        raise SkytoolsError(f"Cannot proceed: {', '.join(unknown)}: {hint}")
    return [name for name in wanted if name in known]
