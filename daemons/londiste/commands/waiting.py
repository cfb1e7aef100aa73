# SPDX-License-Identifier: ISC
"""wait-sync: until all tables of the node are in sync."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence

from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import copies
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.commands.base import Command, Env, log, wait_for
from skytools.daemons.londiste.relation import Relation, describe
from skytools.daemons.londiste.states import in_sync

MOST_NAMES = 5
# So long nothing happens before the worker, which would make it happen, is asked for.
HINT_SECONDS = 5.0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", metavar="SEC", type=float, default=None,
                        help="give up after so long; default: wait for ever")  # fmt: skip


def wait_sync(env: Env) -> int:
    """Wait, telling how far it is."""
    wait_until_synced(env, getattr(env.opts, "timeout", None))
    return 0


def wait_until_synced(env: Env, timeout: float | None = None) -> None:
    """Wait until all tables that are here are in sync. Raises SkytoolsError after `timeout`."""
    log.info("Waiting until all tables are in sync")
    watch = _Watch(env)
    if not wait_for(watch.look, timeout):
        raise SkytoolsError(f"not in sync after {timeout:g} s: {_why(watch.open, watch.errors)}")
    env.progress.clear()
    log.info("All done")


class _Watch:
    """What was seen of the tables that are not in sync: `open`, and why copies of them fail."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.open = _open(env)
        self.errors: dict[str, str] = {}
        self._total = len(self.open)
        self._done = 0
        self._hint_at = time.monotonic() + HINT_SECONDS
        self._shown = _Shown(env, self.open)
        if self.open:
            local = [one for one in env.tables() if one.local]
            log.info("%d/%d table(s) to copy", self._total, len(local))

    def look(self) -> bool:
        """Look again and tell what is new; true when all are in sync."""
        still = _open(self.env)
        self._hint(still)
        self._shown.draw(still)
        self._tell_errors()
        self._tell_finished(still)
        self.open = still
        return not still

    def _hint(self, still: Sequence[TableInfo]) -> None:
        if any(one.state for one in still) or len(still) < len(self.open):
            self._hint_at = time.monotonic() + HINT_SECONDS
        elif still and time.monotonic() > self._hint_at:
            self._hint_at = math.inf
            log.warning("no copy has begun: does the worker of this node run?")

    def _tell_errors(self) -> None:
        errors = copies.errors(self.env.db, self.env.queue)
        self.env.db.rollback()
        for name, error in errors.items():
            if self.errors.get(name) != error:
                self.env.progress.clear()
                log.warning("%s: the copy fails, and is tried again: %s", name, error)
        self.errors = errors

    def _tell_finished(self, still: Sequence[TableInfo]) -> None:
        names = {one.name for one in still}
        for one in self.open:
            if one.name not in names:
                self._done += 1
                self.env.progress.clear()
                log.info("%s: finished (%d/%d)", one.name, self._done, self._total)


def _why(tables: Sequence[TableInfo], errors: Mapping[str, str]) -> str:
    """Return what is known of tables that are not in sync, the failing ones first."""
    failing = [f"{one.name}: {errors[one.name]}" for one in tables if one.name in errors]
    others = [f"{one.name} {one.state or 'not begun'}" for one in tables if one.name not in errors]
    parts = [f"the copy fails of {text}" for text in failing[:MOST_NAMES]]
    if others:
        more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
        parts.append(", ".join(others[:MOST_NAMES]) + more)
    return "; ".join([*parts, "is the worker running? See londiste check"])


class _Shown:
    """The progress of copies, by the sizes of the tables here and at the provider."""

    def __init__(self, env: Env, tables: Sequence[TableInfo]) -> None:
        self.env = env
        self.sizes: dict[str, Relation] = {}
        if not env.progress.shown or env.is_root:
            return
        provider = env.upstream.provider()
        theirs = provider.tables(env.queue)
        for table in tables:
            name = theirs[table.name].dest if table.name in theirs else table.name
            found = describe(provider.db, name)
            if found is not None:
                self.sizes[table.name] = found
        env.progress.begin("copy", sum(one.bytes for one in self.sizes.values()))

    def draw(self, still: Sequence[TableInfo]) -> None:
        """Draw where it is; `still`: the tables that are not in sync."""
        if not self.sizes:
            return
        copying = {one.name: one.dest for one in still}
        size = rows = 0
        for name, there in self.sizes.items():
            here = describe(self.env.db, copying[name]) if name in copying else there
            share = 0.0 if here is None or not there.bytes else min(here.bytes / there.bytes, 1.0)
            size += round(there.bytes * share)
            rows += round(there.rows * share)
        self.env.db.rollback()
        self.env.progress.set(size, rows)


def _open(env: Env) -> list[TableInfo]:
    return [one for one in env.tables() if one.local and not in_sync(one.state)]


COMMANDS = (Command("wait-sync", wait_sync, "wait until all tables are in sync", _arguments),)
