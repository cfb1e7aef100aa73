# SPDX-License-Identifier: ISC
"""compare and repair."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.commands.base import Command, Env, log, names_or_all
from skytools.daemons.londiste.commands.select import choose, require
from skytools.daemons.londiste.states import in_sync
from skytools.daemons.londiste.upstream import keeps_rows
from skytools.daemons.londiste.verify.compare import compare, exit_code
from skytools.daemons.londiste.verify.repair import Repair, repair
from skytools.daemons.londiste.verify.session import DEFAULT_JOBS, Session

ONLY_ROWS = "only rows for which this holds, on both sides"


def _common(parser: argparse.ArgumentParser) -> None:
    names_or_all("tables in sync (the default)", metavar="TABLE")(parser)
    parser.add_argument(
        "--force", action="store_true", help="wait for the worker as long as it takes"
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=int,
        default=DEFAULT_JOBS,
        help=f"connections that read each side; default {DEFAULT_JOBS}",
    )


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--count-only", action="store_true", help="only count the rows")
    parser.add_argument("--where", metavar="COND", default="", help=ONLY_ROWS)


def _repair_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument(
        "--apply",
        action="store_true",
        help="fix the rows at once, instead of writing fix.TABLE.sql",
    )
    parser.add_argument(
        "--repair-where",
        metavar="COND",
        default="",
        help=ONLY_ROWS,
    )
    parser.add_argument(
        "--sort-bufsize",
        metavar="SIZE",
        default="",
        help="has no effect: nothing is sorted any more",
    )
    parser.add_argument("--dry-run", action="store_true", help="the same as without --apply")


def _wanted(env: Env) -> list[TableInfo]:
    """Return the tables to look at; those that are not in sync are left out, and told.

    Raises SkytoolsError when none is left: who asks in a script must not take that for equal.
    """
    known = {one.name: one for one in env.tables() if one.local}
    words = env.opts.names
    chosen = choose(words, known, everything=env.opts.all or not words)
    hint = "this node does not have it; see londiste tables"
    found = []
    for name in require(chosen, known, hint=hint, force=False):
        one = known[name]
        if not keeps_rows(one):
            log.info("%s: keeps no rows here, left out", name)
        elif not in_sync(one.state):
            log.warning("%s: is not in sync yet (%s), left out", name, one.state or "not begun")
        else:
            found.append(one)
    if not found:
        raise SkytoolsError("no table was looked at: none of them has rows here that are in sync")
    return found


def _session(env: Env) -> Session:
    if env.opts.jobs < 1:
        raise UsageError(f"--jobs {env.opts.jobs}: 1 or more expected")
    wait = None if env.opts.force else env.cfg.lock_timeout
    return Session(env.cfg, env.upstream, progress=env.progress, wait=wait, jobs=env.opts.jobs)


def compare_tables(env: Env) -> int:
    """Compare; the exit code is the number of tables that differ, 250 at most, 1 on errors too."""
    session = _session(env)
    try:
        found = compare(session, _wanted(env), count_only=env.opts.count_only, where=env.opts.where)
    finally:
        session.close()
    env.result([asdict(one) for one in found])
    differ = [one.table for one in found if not one.equal]
    log.info("%d compared, %d differ%s", len(found), len(differ), _list(differ))
    return exit_code(found)


def repair_tables(env: Env) -> int:
    """Repair, or write scripts."""
    if env.opts.apply and env.dry_run:
        raise UsageError("--apply and --dry-run exclude each other")
    session = _session(env)
    try:
        found = repair(
            session,
            _wanted(env),
            apply=env.opts.apply,
            folder=Path.cwd(),
            where=env.opts.repair_where,
        )
    finally:
        session.close()
    env.result([_shown(one) for one in found])
    for one in found:
        if one.script is not None and one.counts.total:
            log.info("%s: %s has the statements; --apply runs them", one.table, one.script)
    refused = [one.refused for one in found if one.refused]
    if refused:
        raise SkytoolsError("not repaired: " + "; ".join(refused))
    return 0


def _list(names: list[str]) -> str:
    return f": {', '.join(names)}" if names else ""


def _shown(one: Repair) -> dict[str, object]:
    return {
        "table": one.table,
        "tick": one.tick,
        "src_rows": one.src_rows,
        "dst_rows": one.dst_rows,
        **asdict(one.counts),
        "bytes_moved": one.traffic.bytes,
        "script": None if one.script is None else str(one.script),
        "refused": one.refused or None,
    }


COMMANDS = (
    Command(
        "compare",
        compare_tables,
        "compare tables with the provider's",
        _compare_arguments,
        "repair",
    ),
    Command(
        "repair", repair_tables, "make tables equal to the provider's", _repair_arguments, "repair"
    ),
)
