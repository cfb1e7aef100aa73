# SPDX-License-Identifier: ISC
"""worker --rewind and --reset, and copy by hand."""

from __future__ import annotations

import argparse
import sys

from skytools.core.errors import SkytoolsError, UsageError
from skytools.core.service import Context
from skytools.daemons.londiste import names
from skytools.daemons.londiste.commands.base import Command, Env, log
from skytools.pgq import api as pgq
from skytools.pgq import node


def _worker_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--rewind",
        action="store_true",
        help="set the position at the provider to what this node has, and end",
    )
    group.add_argument(
        "--reset",
        action="store_true",
        help="set the position of this node to that at the provider, and end",
    )


def position(env: Env) -> int:
    """Repair a lost position, while the worker does not run."""
    if env.is_root:
        raise UsageError("this node is the root: its worker has no position")
    state, consumer = env.state, env.cfg.consumer
    provider = env.upstream.provider()
    there = pgq.consumer_info(provider.db, env.queue, consumer)
    if env.opts.rewind:
        if not pgq.tick_exists(provider.db, env.queue, state.completed_tick):
            raise SkytoolsError(
                f"provider {provider.name} has no tick {state.completed_tick} any more, which this"
                " node is at; copy the tables anew: --reset, then resync --all"
            )
        pgq.register_consumer_at(provider.db, env.queue, consumer, state.completed_tick)
        log.info("position at provider %s set to tick %d", provider.name, state.completed_tick)
        env.result({"tick": state.completed_tick, "node": provider.name})
        return 0
    if not there:
        raise SkytoolsError(
            f"provider {provider.name} knows no consumer {consumer}; use --rewind instead"
        )
    tick = there[0].last_tick
    with env.change() as db:
        node.set_completed(db, env.queue, consumer, tick)
    log.info("position of this node set to tick %d; events between are not applied", tick)
    env.result({"tick": tick, "node": state.node_name})
    return 0


def _copy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="the table")


def copy(env: Env) -> int:
    """Copy a table in this process; the worker does that by itself."""
    from skytools.daemons.londiste.copy.program import watch  # noqa: PLC0415 # of one command only

    name = names.full(env.opts.table)
    if name not in {one.name for one in env.tables() if one.local}:
        raise SkytoolsError(f"{name}: this node does not have it; see londiste tables")
    ctx = Context(job_name=env.cfg.job_name)
    ctx.signals.install()
    return watch(ctx, env.cfg, name, sys.stderr)


WORKER = Command("worker", position, "run the worker of this node", _worker_arguments, "admin")
COMMANDS = (WORKER, Command("copy", copy, "copy one table, while no worker runs", _copy_arguments))
