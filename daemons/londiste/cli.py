# SPDX-License-Identifier: ISC
"""The command `londiste [switches] INI COMMAND ...`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import skytools
from skytools.core import logs, program
from skytools.core.cli import Output, guard
from skytools.core.config import load
from skytools.core.errors import UsageError
from skytools.daemons.londiste.commands import COMMANDS, Env
from skytools.daemons.londiste.commands.base import locked
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.node_hooks import LondisteHooks
from skytools.daemons.londiste.progress import Progress
from skytools.pgq.admin.cli import add_commands, arrange
from skytools.pgq.admin.cli import run as run_admin
from skytools.pgq.admin.commands import COMMANDS as ADMIN_COMMANDS
from skytools.pgq.admin.site import Site

SERVICE = "londiste"
OWN_WORDS = frozenset(("--ini", "--check", "-s", "--stop", "-k", "--kill", "-r", "--reload"))


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def main() -> None:
    """Run londiste and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run londiste with these arguments; returns the exit code."""
    args = list(argv)
    p = parser()
    arranged = arrange(p, args)
    words = [word for word in arranged if not word.startswith("-")]
    if OWN_WORDS.intersection(args) or _is_daemon(words, args):
        from skytools.daemons.londiste.worker import LondisteWorker  # noqa: PLC0415 # not for all

        return program.run(LondisteWorker, [word for word in args if word != "worker"])
    return guard(SERVICE, lambda: _main(p, arranged))


def _is_daemon(words: list[str], args: list[str]) -> bool:
    asked = {"--rewind", "--reset", "-h", "--help"}.intersection(args)
    return "worker" in words[1:] and not asked


def parser() -> argparse.ArgumentParser:
    """Return the parser; its switches may stand anywhere, see admin.cli.arrange."""
    p = Parser(
        prog=SERVICE,
        usage="londiste [switches] INI COMMAND [arguments]",
        description="Replicate tables over a cascade of queues.",
        epilog="`londiste INI COMMAND --help` tells the switches of a command.",
    )
    p.add_argument("config", nargs="?", type=Path, metavar="INI", help="ini with [londiste]")
    add = p.add_argument
    add("-q", "--quiet", action="store_true", help="tell only what went wrong")
    add("-v", "--verbose", action="count", default=0, help="tell more")
    add("-d", "--daemon", action="store_true", help="worker: go to the background")
    add("--json", action="store_true", help="write the result as JSON")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key")
    add("--ini", action="store_true", help="print a commented template and end")
    add("--check", action="store_true", help="check the ini and end")
    add("-s", "--stop", action="store_true", help="stop the worker after its current work")
    add("-k", "--kill", action="store_true", help="like -s; twice within a second stops at once")
    add("-r", "--reload", action="store_true", help="make the worker read its ini again")
    add("-V", "--version", action="version", version=f"{SERVICE} {skytools.__version__}")
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser]
    subparsers = p.add_subparsers(  # type: ignore[assignment] # they are Parsers, too
        title="commands", metavar="COMMAND"
    )
    for command in COMMANDS:
        sub = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.arguments(sub)
        sub.set_defaults(own=command)
    add_commands(subparsers)
    return p


def _main(p: argparse.ArgumentParser, arranged: list[str]) -> int:
    # One word alone would be taken for the command.
    words = [word for word in arranged if not word.startswith("-") and "=" not in word]
    if not {"-h", "--help", "-V", "--version"}.intersection(arranged) and len(words) < 2:
        known = {one.name for one in COMMANDS} | {one.name for one in ADMIN_COMMANDS}
        if not words or words[0] in known:
            raise UsageError("which ini? Give its path, or --ini for a template")
        raise UsageError("command missing; `londiste --help` lists them")
    opts = p.parse_args(arranged)
    loaded = load(LondisteConfig, opts.config, SERVICE, _overrides(opts.set))
    cfg = loaded.config
    level = logging.WARNING if opts.quiet else logging.DEBUG if opts.verbose else logging.INFO
    logs.setup(level=level, console=True)
    if opts.verbose:
        for line in loaded.warnings:
            logging.getLogger(SERVICE).warning("%s", line)
    out = Output(as_json=opts.json)
    if hasattr(opts, "admin"):
        return run_admin(opts, _site(cfg), out)
    env = Env(opts, cfg, out, opts.config.absolute(), Progress(quiet=opts.quiet or opts.json))
    ending = "" if env.dry_run else opts.own.lock
    with locked(cfg, ending):
        try:
            code: int = opts.own.run(env)
        finally:
            env.close()
    return code


def _site(cfg: LondisteConfig) -> Site:
    return Site(
        queue=cfg.queue_name,
        db=cfg.db,
        worker=cfg.consumer,
        node_name=cfg.node_name,
        public_location=cfg.public_node_location,
        provider_location=cfg.initial_provider_location,
        extra_connstr=cfg.remote_extra_connstr,
        hooks=LondisteHooks(cfg),
    )


def _overrides(items: Sequence[str]) -> dict[str, str]:
    out = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {item}: KEY=VALUE expected")
        out[key.strip().lower()] = value.strip()
    return out
