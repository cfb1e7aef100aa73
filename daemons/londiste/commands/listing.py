# SPDX-License-Identifier: ISC
"""Commands that only show: tables, seqs, missing, show-handlers."""

from __future__ import annotations

import argparse
import inspect

from skytools.core.errors import UsageError
from skytools.daemons.londiste import api, copies
from skytools.daemons.londiste.commands.base import Command, Env
from skytools.daemons.londiste.handlers import handlers


def _tables_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--names-only", action="store_true", help="names without headings")


def tables(env: Env) -> int:
    """Show the tables that this node has."""
    errors = copies.errors(env.db, env.queue)
    found = [one for one in env.tables() if one.local]
    if env.opts.names_only and not env.out.as_json:
        for one in found:
            env.out.line(one.name)
        return 0
    rows = [
        {
            "table_name": one.name,
            "merge_state": one.state,
            "table_attrs": api.encode_attrs(one.attrs) or "",
            "dest_table": one.dest,
            "copy_error": errors.get(one.name),
        }
        for one in found
    ]
    env.out.line("Tables on node")
    headings = {key: key for key in ("table_name", "merge_state", "table_attrs")}
    if any(one.dest != one.name for one in found):
        headings["dest_table"] = "dest_table"
    if errors:
        headings["copy_error"] = "copy_error"
    env.out.table(rows, headings)
    return 0


def seqs(env: Env) -> int:
    """Show the sequences that this node has."""
    found = api.sequences(env.db, env.queue)
    rows = [
        {"seq_name": one.name, "local": one.local, "last_value": one.last_value}
        for one in found
        if one.local
    ]
    env.out.line("Sequences on node")
    env.out.table(rows, {key: key for key in ("seq_name", "local", "last_value")})
    return 0


def missing(env: Env) -> int:
    """Show what could be added."""
    rows = [
        {"obj_kind": one.kind, "obj_name": one.name} for one in api.show_missing(env.db, env.queue)
    ]
    env.out.line("Missing objects on node")
    env.out.table(rows, {key: key for key in ("obj_kind", "obj_name")})
    return 0


def _handlers_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="handlers to describe; default: a line for each"
    )


def show_handlers(env: Env) -> int:
    """Show what handlers do and which arguments they take."""
    known = handlers(env.cfg.handler_modules)
    wanted = env.opts.names or sorted(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(
            f"handler {unknown[0]} is not known; known: {', '.join(sorted(known))};"
            " one of your own needs handler_modules"
        )
    rows = []
    for name in wanted:
        text = inspect.getdoc(known[name]) or ""
        arguments = dict(known[name].args)
        rows.append({"name": name, "help": text, "arguments": arguments})
        if not env.opts.names:
            env.out.line(f"{name} - {(text.splitlines() or [''])[0]}")
            continue
        env.out.line(f"{name} - {text}")
        for argument, meaning in arguments.items():
            env.out.line(f"    {argument}: {meaning}")
        env.out.line()
    if not env.opts.names:
        env.out.line("\nshow-handlers NAME tells what one does, and its arguments.")
    env.result(rows)
    return 0


COMMANDS = (
    Command("tables", tables, "list the tables that this node has", _tables_arguments),
    Command("seqs", seqs, "list the sequences that this node has"),
    Command("missing", missing, "list what could be added to this node"),
    Command("show-handlers", show_handlers, "describe the handlers", _handlers_arguments),
)
