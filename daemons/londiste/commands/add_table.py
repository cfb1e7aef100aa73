# SPDX-License-Identifier: ISC
"""add-table: publish tables on the root, subscribe to them elsewhere."""

from __future__ import annotations

import argparse
import logging
import re

from skytools.core.db import Database, sql
from skytools.core.errors import DatabaseError, SkytoolsError, UsageError
from skytools.daemons.londiste import api, definitions, fkeys, handlers, names
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.commands.base import Command, Env, dry_run, names_or_all
from skytools.daemons.londiste.commands.select import choose, known_node, require
from skytools.daemons.londiste.commands.waiting import wait_until_synced
from skytools.daemons.londiste.relation import describe

log = logging.getLogger("londiste")

COPY_CONDITION = "copy_condition"
# What triggers of pgq take, and what londiste.local_add_table does.
_TRIGGER_ARG = re.compile(
    r"(backup|pkey_update|deny|SKIP|skip|no_triggers|skip_truncate|expect_sync|merge_all|no_merge"
    r"|virtual_table)$|(tgflags|ignore|pkey|when|ev_type|ev_data|ev_extra[1-4])="
)


def handler_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the switches that add-table and change-handler share."""
    add = parser.add_argument
    add("--trigger-flags", metavar="FLAGS", default="",
        help="I U D: of which changes; B A: when; Q L J: in which format; S: skip")  # fmt: skip
    add("--trigger-arg", metavar="ARG", action="append", default=[],
        help="argument of the trigger; may be repeated")  # fmt: skip
    add("--no-triggers", action="store_true", help="make no trigger")
    add("--handler", metavar="NAME", default="", help="handler of the table, see show-handlers")
    add("--handler-arg", metavar="KEY=VALUE", action="append", default=[],
        help="argument of the handler; may be repeated")  # fmt: skip
    dry_run(parser)


def _arguments(parser: argparse.ArgumentParser) -> None:
    names_or_all("tables", metavar="TABLE")(parser)
    handler_arguments(parser)
    add = parser.add_argument
    add("--dest-table", metavar="NAME", default="", help="name of the table in this database")
    add("--expect-sync", action="store_true", help="the rows are here already, copy nothing")
    add("--skip-truncate", action="store_true", help="copy without emptying the table first")
    add("--create", action="store_true", help="create it here: columns and primary key")
    add("--create-full", action="store_true",
        help="the same with defaults, constraints, indexes, triggers, rules, owner")  # fmt: skip
    add("--copy-node", metavar="NODE", default="", help="copy from this node")
    add("--find-copy-node", action="store_true",
        help="copy from the nearest node above that has the rows")  # fmt: skip
    add("--copy-condition", metavar="COND", default="", help="copy only rows for which this holds")
    add("--merge-all", action="store_true", help="merge the table from all queues that bring it")
    add("--no-merge", action="store_true", help="take it from this queue only")
    add("--max-parallel-copy", metavar="N", type=int, default=None,
        help="how many queues of a merge copy into the table at a time; default 8")  # fmt: skip
    add("--skip-non-existing", action="store_true", help="only warn of a table that is not there")
    add("--wait-sync", action="store_true", help="wait until all tables are in sync")
    add("--force", action="store_true", help="go on with the others when one is not there")


def handler_text(opts: argparse.Namespace) -> str:
    """Return the handler as it is stored, empty for the default."""
    pairs = {}
    for item in opts.handler_arg:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"--handler-arg {item}: KEY=VALUE expected")
        pairs[key] = value
    if pairs and not opts.handler:
        raise UsageError("--handler-arg goes with --handler")
    return handlers.format_call(opts.handler, pairs) if opts.handler else ""


def trigger_args(env: Env, table: str, dest: str, attrs: dict[str, str]) -> tuple[list[str], bool]:
    """Return the arguments of a table's trigger, and whether the handler needs the table."""
    opts = env.opts
    args = list(opts.trigger_arg)
    for arg in args:
        if not _TRIGGER_ARG.match(arg):
            raise UsageError(
                f"--trigger-arg {arg}: a trigger with it would refuse all changes; known are"
                " backup, pkey_update, deny, SKIP, ignore=, pkey=, when=, ev_type=, ev_data=,"
                " ev_extra1= to ev_extra4="
            )
    if opts.trigger_flags:
        wrong = sorted(set(opts.trigger_flags.upper()) - set("IUDBAQLJS"))
        if wrong:
            raise UsageError(f"--trigger-flags {opts.trigger_flags}: {wrong[0]} means nothing")
        args.append(f"tgflags={opts.trigger_flags}")
    if opts.no_triggers:
        args.append("no_triggers")
    handler = handlers.make(TableInfo(table, attrs=attrs, dest=dest), env.cfg)
    return handler.trigger_args(args), handler.needs_table


def _check_options(env: Env) -> None:
    opts = env.opts
    if opts.merge_all and opts.no_merge:
        raise UsageError("--merge-all and --no-merge exclude each other")
    if opts.copy_node and opts.find_copy_node:
        raise UsageError("--copy-node and --find-copy-node exclude each other")
    if opts.dest_table and (opts.all or len(opts.names) != 1):
        raise UsageError("--dest-table goes with exactly one table")
    if opts.max_parallel_copy is not None and opts.max_parallel_copy < 1:
        raise UsageError(f"--max-parallel-copy {opts.max_parallel_copy}: 1 or more expected")
    if env.is_root:
        for name in ("create", "create_full", "expect_sync", "copy_node", "find_copy_node",
                     "copy_condition", "merge_all"):  # fmt: skip
            if getattr(opts, name):
                switch = name.replace("_", "-")
                raise UsageError(f"--{switch} means nothing on the root, which has no provider")


def add_table(env: Env) -> int:
    """Add tables one after the other, each in a transaction of its own."""
    _check_options(env)
    opts = env.opts
    wanted = _root_tables(env) if env.is_root else _provider_tables(env)
    done = []
    for name in wanted:
        note = _add(env, name)
        done.append({"table": name, "note": note})
    if opts.wait_sync and not env.dry_run:
        wait_until_synced(env)
    env.result(done)
    return 0


# which tables


def _root_tables(env: Env) -> list[str]:
    """Return the tables to publish: of this database, or virtual ones."""
    opts = env.opts
    missing = [one.name for one in api.show_missing(env.db, env.queue) if one.kind in "rp"]
    registered = {one.name for one in api.tables(env.db, env.queue)}
    wanted = choose(opts.names, missing, everything=opts.all)
    known = registered.union(missing)
    known.update(name for name in wanted if _exists(env, opts.dest_table or name))
    env.db.rollback()
    if not _needs_table(env):
        return wanted
    return require(wanted, known, hint="there is no such table in this database",
                   force=opts.skip_non_existing or opts.force)  # fmt: skip


def _provider_tables(env: Env) -> list[str]:
    """Return the tables to subscribe to: what the set has, where the provider has the rows."""
    opts = env.opts
    ours = {one.name: one for one in env.tables()}
    theirs = env.upstream.provider().tables(env.queue)
    known = {**theirs, **ours}
    anywhere = opts.expect_sync or opts.find_copy_node or opts.copy_node
    addable = [
        name
        for name in known
        if (name not in ours or not ours[name].local)
        and (anywhere or (name in theirs and theirs[name].local))
    ]
    wanted = choose(opts.names, addable, everything=opts.all)
    wanted = require(wanted, known, force=opts.skip_non_existing or opts.force,
                     hint="the set has no such table; add it on the root first")  # fmt: skip
    if anywhere:
        return wanted
    there = [name for name, one in theirs.items() if one.local]
    there += [name for name, one in ours.items() if one.local]
    hint = (
        f"provider {env.state.provider_node} does not have it; add it there first, or give"
        " --find-copy-node"
    )
    return require(wanted, there, hint=hint, force=opts.skip_non_existing or opts.force)


def _needs_table(env: Env) -> bool:
    text = handler_text(env.opts)
    attrs = {"handler": text} if text else {}
    return handlers.make(TableInfo("public.any", attrs=attrs), env.cfg).needs_table


def _exists(env: Env, name: str) -> bool:
    found = describe(env.db, names.full(name))
    return found is not None


# one table


def _add(env: Env, name: str) -> str:
    opts = env.opts
    dest = names.full(opts.dest_table) if opts.dest_table else name
    attrs = _attrs(env, name)
    args, needs_table = trigger_args(env, name, dest, attrs)
    args = _magic(env, args)
    with env.change() as db:
        if not env.is_root:
            # The event that tells of it may not have come yet.
            api.global_add_table(db, env.queue, name)
            if (opts.create or opts.create_full) and needs_table:
                _create(env, name, dest)
        if needs_table and describe(db, dest) is None:
            if opts.skip_non_existing:
                env.say("%s does not exist here, left out", dest)
                return "does not exist here"
            more = "" if env.is_root else ", or give --create"
            raise SkytoolsError(f"Table does not exist: {dest}; create it first{more}")
        if opts.copy_condition and needs_table:
            _try_condition(db, dest, opts.copy_condition)
        answer = api.add_table(
            db, env.queue, name, args, attrs, dest=None if dest == name else dest
        )
        merged = api.merged_with(db, env.queue, dest)
    env.say("%s", answer.note)
    if opts.merge_all:
        _tell_merged(env, name, merged)
    return answer.note


def _tell_merged(env: Env, name: str, queues: list[str]) -> None:
    """Name the other queues: one whose root has just added the table is not known here yet."""
    if queues:
        env.say("%s: merged with queue %s", name, ", ".join(queues))
        return
    log.warning(
        "%s: no other queue of this database brings it yet, so nothing is merged; when one does,"
        " remove-table and add-table --merge-all again",
        name,
    )


def _try_condition(db: Database, dest: str, condition: str) -> None:
    """Have the server read a condition. Raises UsageError; copies would fail again and again."""
    query = sql.SQL("select from {} where ({}) limit 0")
    try:
        db.execute(query.format(names.ident(dest), sql.SQL(condition))).close()
    except DatabaseError as exc:
        raise UsageError(f"--copy-condition: {exc}") from exc


def _attrs(env: Env, name: str) -> dict[str, str]:
    opts = env.opts
    attrs: dict[str, str] = {}
    text = handler_text(opts)
    if text:
        attrs["handler"] = text
    if opts.find_copy_node:
        found = env.upstream.source_of(name).name
        env.say("%s: node %s has the rows, they are copied from there", name, found)
        if found != env.state.provider_node:
            attrs["copy_node"] = found
    elif opts.copy_node:
        attrs["copy_node"] = known_node(env, opts.copy_node)
    if opts.copy_condition:
        attrs[COPY_CONDITION] = opts.copy_condition
    if opts.skip_truncate:
        attrs["skip_truncate"] = "1"
    if opts.max_parallel_copy is not None:
        attrs["max_parallel_copy"] = str(opts.max_parallel_copy)
    return attrs


def _magic(env: Env, args: list[str]) -> list[str]:
    """Add the words by which londiste.local_add_table knows what was asked for."""
    opts = env.opts
    words = ("expect_sync", "skip_truncate", "merge_all", "no_merge")
    return [*args, *(word for word in words if getattr(opts, word))]


def _create(env: Env, name: str, dest: str) -> None:
    """Create the table as the node has it from which it comes."""
    if describe(env.db, dest) is not None:
        env.say("Table %s already exist, not touching", dest)
        return
    source, there = _structure_source(env, name)
    found = definitions.table_definition(source, there)
    parent = ""
    if found.bound and found.parents:
        above = describe(env.db, found.parents[0])
        parent = found.parents[0] if above is not None and above.kind == "p" else ""
    definitions.create(
        env.db,
        [
            *definitions.schema_statement(env.db, dest),
            *found.statements(dest, full=env.opts.create_full, parent=parent),
        ],
    )
    if env.opts.create_full:
        # The other table may not be here yet: the worker makes them when both are in sync.
        for one in definitions.foreign_keys(source, found.oid, dest):
            fkeys.add_pending(env.db, one)


def _structure_source(env: Env, name: str) -> tuple[Database, str]:
    for one in env.upstream:
        info = one.tables(env.queue).get(name)
        if info is not None and info.local and describe(one.db, info.dest) is not None:
            return one.db, info.dest
    raise SkytoolsError(f"{name}: no node above has the table, so it cannot be created as there")


COMMANDS = (Command("add-table", add_table, "add tables to this node", _arguments, "admin"),)
