# SPDX-License-Identifier: ISC
"""add-seq and remove-seq."""

from __future__ import annotations

import argparse

from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import api, definitions
from skytools.daemons.londiste.commands.base import Command, Env, dry_run, names_or_all
from skytools.daemons.londiste.commands.select import choose, require


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    names_or_all("sequences", metavar="SEQ")(parser)
    parser.add_argument("--create", action="store_true", help="create it as at the provider")
    parser.add_argument("--create-full", action="store_true", help="the same, with its grants")
    parser.add_argument("--skip-non-existing", action="store_true",
                        help="only warn of one that does not exist")  # fmt: skip
    dry_run(parser)


def add_seq(env: Env) -> int:
    """Publish sequences on the root; else follow them."""
    known = {one.name: one for one in api.sequences(env.db, env.queue)}
    local = {name for name, one in known.items() if one.local}
    if env.is_root:
        hint = "there is no such sequence"
        candidates = local.union(definitions.sequences(env.db))
    else:
        hint = "the provider does not have it; add it there first"
        for one in api.sequences(env.upstream.provider().db, env.queue):
            known.setdefault(one.name, one)
        candidates = set(known)
    env.db.rollback()
    wanted = choose(env.opts.names, candidates - local, everything=env.opts.all)
    there = require(wanted, candidates, hint=hint, force=env.opts.skip_non_existing)
    done = [{"sequence": name, "note": _add(env, name, known.get(name))} for name in there]
    env.result(done)
    return 0


def _add(env: Env, name: str, known: api.SeqInfo | None) -> str:
    with env.change() as db:
        if not env.is_root:
            assert known is not None
            if env.opts.create or env.opts.create_full:
                _create(env, name)
            elif not definitions.sequence_exists(db, name):
                if env.opts.skip_non_existing:
                    env.say("%s does not exist here, left out", name)
                    return "does not exist here"
                raise SkytoolsError(
                    f"sequence {name} does not exist here; create it, or give --create"
                )
            if not api.knows_seq(db, env.queue, name):
                api.global_update_seq(db, env.queue, name, known.last_value)
        answer = api.add_seq(db, env.queue, name)
    env.say("%s", answer.note)
    return answer.note


def _create(env: Env, name: str) -> None:
    if definitions.sequence_exists(env.db, name):
        env.say("%s exists already, not touching it", name)
        return
    source = env.upstream.provider().db
    wanted = definitions.sequence(source, name, full=env.opts.create_full)
    definitions.create(env.db, [*definitions.schema_statement(env.db, name), *wanted])


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    names_or_all("sequences", metavar="SEQ")(parser)
    dry_run(parser)


def remove_seq(env: Env) -> int:
    """Stop following sequences; on the root: take them out of the set."""
    known = {one.name: one for one in api.sequences(env.db, env.queue)}
    env.db.rollback()
    local = [name for name, one in known.items() if one.local]
    wanted = choose(env.opts.names, local, everything=env.opts.all)
    done = []
    for name in require(wanted, known, hint="not in the set; see londiste seqs", force=False):
        if not known[name].local:
            env.say("%s already processed", name)
            done.append({"sequence": name, "note": "already processed"})
            continue
        with env.change() as db:
            note = api.remove_seq(db, env.queue, name).note
        env.say("%s", note)
        done.append({"sequence": name, "note": note})
    env.result(done)
    return 0


COMMANDS = (
    Command("add-seq", add_seq, "add sequences to this node", _add_arguments, "admin"),
    Command(
        "remove-seq", remove_seq, "remove sequences from this node", _remove_arguments, "admin"
    ),
)
