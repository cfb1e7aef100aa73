# SPDX-License-Identifier: ISC
"""execute: run scripts on the root and, through the queue, on every node that they are for."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste import scripts
from skytools.daemons.londiste.commands.base import Command, Env, dry_run
from skytools.daemons.londiste.scripts import Attributes, Script


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="SQL scripts")
    dry_run(parser)


def _read(path: Path) -> Script:
    """Read a script and find what is wrong with it before anything is done."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path}: is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    try:
        attrs = Attributes.of_script(text).encode()
        found = list(scripts.statements(text))
    except UsageError as exc:
        raise UsageError(f"{path}: {exc}") from exc
    if not found:
        raise UsageError(f"{path}: has no statement")
    return Script(path.name, text, attrs)


def execute(env: Env) -> int:
    """Run all files in one transaction, in their order."""
    found = [_read(path) for path in env.opts.files]
    double = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if double:
        raise UsageError(
            f"{sorted(double)[0]} is given twice: a script is known by its base name, and runs once"
        )
    if not env.is_root:
        raise SkytoolsError(
            f"Node is not root node: {env.queue}; run execute on the root, it reaches all nodes"
        )
    done = []
    with env.change() as db:
        for script in found:
            env.say("Executing: %s", script.name)
            done.append(_run(env, db, script))
    env.result(done)
    return 0


def _run(env: Env, db: Database, script: Script) -> dict[str, str]:
    before = db.value(_APPLIED, (script.name,))
    ran = scripts.run(db, env.queue, script, root=True)
    if before:
        env.say("Skipping execution of '%s': it was applied at %s", script.name, before)
        outcome = "skipped"
    elif ran:
        env.say("Execute finished: %s", script.name)
        outcome = "executed"
    else:
        env.say("%s is not for this node; handed on to the others", script.name)
        outcome = "not for this node"
    return {"script": script.name, "outcome": outcome}


_APPLIED = """select date_trunc('second', execute_time)::text
    from londiste.applied_execute where execute_file = %s"""

COMMANDS = (Command("execute", execute, "run scripts on all nodes", _arguments, "admin"),)
