# SPDX-License-Identifier: ISC
"""remove-table, change-handler, resync."""

from __future__ import annotations

import argparse

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.commands.add_table import (
    handler_arguments,
    handler_text,
    trigger_args,
)
from skytools.daemons.londiste.commands.base import Command, Env, dry_run, names_or_all
from skytools.daemons.londiste.commands.select import choose, known_node, require


def _known(env: Env) -> dict[str, TableInfo]:
    return {one.name: one for one in env.tables()}


def _local(env: Env, *, force: bool = False) -> list[TableInfo]:
    """Return the tables that were asked for and are here."""
    known = _known(env)
    local = [name for name, one in known.items() if one.local]
    wanted = choose(env.opts.names, local, everything=env.opts.all)
    hint = "this node does not have it; see londiste tables"
    return [known[name] for name in require(wanted, local, hint=hint, force=force)]


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    names_or_all("tables", metavar="TABLE")(parser)
    parser.add_argument("--force", action="store_true", help="leave out those that are not there")
    dry_run(parser)


def remove_table(env: Env) -> int:
    """Unsubscribe from tables; on the root: take them out of the set. Rows stay."""
    known = _known(env)
    local = [name for name, one in known.items() if one.local]
    wanted = choose(env.opts.names, local, everything=env.opts.all)
    hint = "not in the set; see londiste tables"
    done = []
    for name in require(wanted, known, hint=hint, force=env.opts.force):
        note = "already processed"
        if known[name].local:
            with env.change() as db:
                note = api.remove_table(db, env.queue, name).note
            env.say("%s", note)
        else:
            env.say("%s already processed", name)
        done.append({"table": name, "note": note})
    env.result(done)
    return 0


def _handler_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="TABLE", help="tables")
    parser.set_defaults(all=False)
    handler_arguments(parser)


def change_handler(env: Env) -> int:
    """Give tables another handler, and make their triggers anew."""
    done = []
    for table in _local(env):
        attrs = dict(table.attrs)
        attrs.pop("handler", None)
        text = handler_text(env.opts)
        if text:
            attrs["handler"] = text
        args, needs_table = trigger_args(env, table.name, table.dest, attrs)
        if attrs == table.attrs and not env.opts.trigger_arg and not env.opts.trigger_flags:
            note = "Handler is already set to desired value, nothing done"
            env.say("%s", note)
        else:
            _require_same_kind(env, table, needs_table=needs_table)
            with env.change() as db:
                note = api.change_handler(db, env.queue, table.name, args, attrs).note
            env.say("%s", note)
        done.append({"table": table.name, "handler": text or "londiste", "note": note})
    env.result(done)
    return 0


def _require_same_kind(env: Env, table: TableInfo, *, needs_table: bool) -> None:
    """Refuse to let rows appear or vanish by the change of a handler."""
    _, needed = trigger_args(env, table.name, table.dest, table.attrs)
    if needed != needs_table:
        raise SkytoolsError(
            f"{table.name}: one of the two handlers keeps no rows here; use remove-table, then"
            " add-table with the other handler"
        )


def _resync_arguments(parser: argparse.ArgumentParser) -> None:
    names_or_all("tables", metavar="TABLE")(parser)
    parser.add_argument("--copy-node", metavar="NODE", default="", help="copy from this node")
    parser.add_argument("--find-copy-node", action="store_true",
                        help="copy from the nearest node above that has the rows")  # fmt: skip
    dry_run(parser)


def resync(env: Env) -> int:
    """Copy tables again."""
    if env.is_root:
        raise UsageError("this node is the root: there is nothing to copy from")
    if env.opts.copy_node and env.opts.find_copy_node:
        raise UsageError("--copy-node and --find-copy-node exclude each other")
    done = []
    for table in _local(env):
        attrs = _with_source(env, table)
        with env.change() as db:
            if attrs != table.attrs:
                api.set_table_attrs(db, env.queue, table.name, attrs)
            api.set_table_state(db, env.queue, table.name, None, None)
        env.say("Table %s state set to NULL", table.name)
        done.append({"table": table.name, "state": None})
    env.result(done)
    return 0


def _with_source(env: Env, table: TableInfo) -> dict[str, str]:
    """Return the attributes with the node to copy from, which is made sure to have the table."""
    attrs = {key: value for key, value in table.attrs.items() if key != "copy_node"}
    if env.opts.copy_node:
        return {**attrs, "copy_node": known_node(env, env.opts.copy_node)}
    if env.opts.find_copy_node:
        found = env.upstream.source_of(table.name).name
        return attrs if found == env.state.provider_node else {**attrs, "copy_node": found}
    provider = env.upstream.provider()
    theirs = provider.tables(env.queue).get(table.name)
    if "copy_node" not in table.attrs and (theirs is None or not theirs.local):
        raise SkytoolsError(
            f"{table.name}: provider {provider.name} does not have it; give --find-copy-node"
        )
    return dict(table.attrs)


COMMANDS = (
    Command("remove-table", remove_table, "remove tables from this node",
            _remove_arguments, "admin"),
    Command("change-handler", change_handler, "give tables another handler",
            _handler_arguments, "admin"),
    Command("resync", resync, "copy tables again", _resync_arguments, "admin"),
)  # fmt: skip
