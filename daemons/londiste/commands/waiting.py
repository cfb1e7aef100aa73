# SPDX-License-Identifier: ISC
"""wait-sync: until all tables of the node are in sync."""

from __future__ import annotations

import argparse

from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.commands.base import Command, Env, log, wait_for
from skytools.daemons.londiste.states import Stage, State


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
    open_before = _open(env)
    total = len(open_before)
    if total:
        log.info("%d/%d table(s) to copy", total, len([t for t in env.tables() if t.local]))
    done = 0

    def look() -> bool:
        nonlocal open_before, done
        still = _open(env)
        names = {one.name for one in still}
        for one in open_before:
            if one.name not in names:
                done += 1
                log.info("%s: finished (%d/%d)", one.name, done, total)
        open_before = still
        return not still

    if not wait_for(look, timeout):
        states = ", ".join(f"{one.name} {one.state or 'not begun'}" for one in open_before)
        raise SkytoolsError(
            f"not in sync after {timeout:g} s: {states}; is the worker running? See londiste check"
        )
    log.info("All done")


def _open(env: Env) -> list[TableInfo]:
    return [
        one for one in env.tables() if one.local and State.parse(one.state).stage is not Stage.OK
    ]


COMMANDS = (Command("wait-sync", wait_sync, "wait until all tables are in sync", _arguments),)
