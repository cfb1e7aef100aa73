# SPDX-License-Identifier: ISC
"""Handlers by name: ours, those of installed packages, those of modules that the ini names."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable
from importlib import metadata
from typing import TYPE_CHECKING

from skytools.core.errors import UsageError
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.handlers import (
    applyfn,
    bulk,
    dispatch,
    nothing,
    obfuscate,
    plain,
    queues,
    shard,
)
from skytools.daemons.londiste.handlers.base import Handler, parse_call

if TYPE_CHECKING:
    from skytools.daemons.londiste.config import LondisteConfig

GROUP = "skytools.londiste_handlers"
DEFAULT = "londiste"

_OURS: tuple[type[Handler], ...] = (
    plain.Plain,
    bulk.Bulk,
    nothing.Vtable,
    nothing.FakeLocal,
    queues.Qtable,
    queues.Qsplitter,
    applyfn.ApplyFn,
    applyfn.Multimaster,
    shard.Shard,
    shard.Part,
    obfuscate.Obfuscate,
    *dispatch.FAMILY,
)


@functools.cache
def handlers(modules: Iterable[str] = ()) -> dict[str, type[Handler]]:
    """Return name -> class. Raises UsageError when a module or an entry point cannot be loaded."""
    found = {one.name: one for one in _OURS}
    for entry in metadata.entry_points(group=GROUP):
        try:
            found[entry.name] = _checked(entry.load(), entry.value)
        except (ImportError, AttributeError) as exc:
            raise UsageError(f"handler {entry.name}: {entry.value}: {exc}") from exc
    for name in modules:
        found.update(_of_module(name))
    return found


def _of_module(name: str) -> dict[str, type[Handler]]:
    try:
        listed = importlib.import_module(name).HANDLERS
    except (ImportError, AttributeError) as exc:
        raise UsageError(f"handler_modules: {name}: {exc}") from exc
    return {_checked(one, name).name: one for one in listed}


def _checked(found: object, where: str) -> type[Handler]:
    if not isinstance(found, type) or not issubclass(found, Handler) or not found.name:
        raise UsageError(f"{where}: {found!r} is no handler: a subclass of Handler with a name")
    return found


def make(table: TableInfo, cfg: LondisteConfig) -> Handler:
    """Return the handler of a table. Raises UsageError when there is none of that name."""
    name, given = parse_call(table.attrs.get("handler") or DEFAULT)
    known = handlers(cfg.handler_modules)
    if name not in known:
        raise UsageError(
            f"table {table.name}: handler {name} is not known; a module of its own needs"
            f" handler_modules. Known: {', '.join(sorted(known))}"
        )
    return known[name](table, given, cfg)
