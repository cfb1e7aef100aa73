# SPDX-License-Identifier: ISC
"""check and fkeys."""

from __future__ import annotations

from typing import Any

from skytools.daemons.londiste import fkeys
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.commands.base import Command, Env
from skytools.daemons.londiste.health import Examination, Level


def check(env: Env) -> int:
    """Tell what is wrong with the node; exit code 0 nothing, 1 warnings, 2 critical."""
    found = list(Examination(env.db, env.queue, env.cfg.consumer, env.upstream).run())
    found.sort(key=lambda one: -one.level)
    worst = max((one.level for one in found), default=Level.OK)
    critical = sum(one.level is Level.CRITICAL for one in found)
    if found:
        env.out.line(
            f"LONDISTE {worst.name} - node {env.state.node_name}: {critical} critical,"
            f" {len(found) - critical} warnings"
        )
    else:
        env.out.line(f"LONDISTE OK - node {env.state.node_name}")
    for one in found:
        env.out.line(f"{one.level.name}: {one.about}: {one.text}")
        env.out.line(f"    -> {one.remedy}")
    env.result(
        {
            "node": env.state.node_name,
            "level": worst.name,
            "findings": [
                {"level": one.level.name, "about": one.about, "text": one.text,
                 "remedy": one.remedy}
                for one in found
            ],
        }
    )  # fmt: skip
    return int(worst)


def list_fkeys(env: Env) -> int:
    """Show the foreign keys of the node's tables, and why some are not there."""
    tables = [one for one in env.tables() if one.local]
    rows: list[dict[str, Any]] = []
    for one in fkeys.present(env.db, tables):
        rows.append(_row(one.from_table, one.name, one.to_table, "there", ""))
    for one in fkeys.pending(env.db):
        reason = fkeys.why_pending(env.db, one)
        rows.append(
            _row(one.from_table, one.name, one.to_table, f"dropped: {reason.text}", reason.remedy)
        )
    rows += _missing(env, {(row["from_table"], row["fkey_name"]) for row in rows}, tables)
    rows.sort(key=lambda row: (row["from_table"], row["fkey_name"]))
    headings = ("from_table", "fkey_name", "to_table", "state", "remedy")
    env.out.table(rows, {key: key for key in headings})
    return 0


def _missing(
    env: Env, known: set[tuple[str, str]], tables: list[TableInfo]
) -> list[dict[str, Any]]:
    """Return what the provider has and this node has not."""
    if env.is_root:
        return []
    provider = env.upstream.provider()
    ours = {table.name for table in tables}
    theirs = [one for name, one in provider.tables(env.queue).items() if one.local and name in ours]
    return [
        _row(one.from_table, one.name, one.to_table, "missing here", one.definition)
        for one in fkeys.present(provider.db, theirs)
        if (one.from_table, one.name) not in known
    ]


def _row(source: str, name: str, target: str, state: str, remedy: str) -> dict[str, Any]:
    return {
        "from_table": source,
        "fkey_name": name,
        "to_table": target,
        "state": state,
        "remedy": remedy or None,
    }


COMMANDS = (
    Command("check", check, "tell what is wrong with this node and what to do about it"),
    Command("fkeys", list_fkeys, "list foreign keys, and why some are not there"),
)
