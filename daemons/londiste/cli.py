# SPDX-License-Identifier: ISC
"""The command `londiste [switches] INI COMMAND ...`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import skytools
from skytools.core import logs
from skytools.core.arguments import Parser, arrange, command_switches, overrides_of
from skytools.core.cli import Output, guard
from skytools.core.config import load
from skytools.core.errors import UsageError
from skytools.daemons.londiste import commands
from skytools.daemons.londiste.commands.base import Env, locked
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.progress import Progress

SERVICE = "londiste"
OWN_WORDS = frozenset(("--ini", "--check", "-s", "--stop", "-k", "--kill", "-r", "--reload"))
ASKING = frozenset(("-h", "--help", "-V", "--version"))


Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main() -> None:
    """Run londiste and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run londiste with these arguments; returns the exit code."""
    args = list(argv)
    words = _words(args)
    if OWN_WORDS.intersection(args) or _is_daemon(words, args):
        from skytools.core import program  # noqa: PLC0415 # takes long, and few commands need it
        from skytools.daemons.londiste.worker import LondisteWorker  # noqa: PLC0415 # likewise

        return program.run(LondisteWorker, [word for word in args if word != "worker"])
    return guard(SERVICE, lambda: _main(args, words))


def _words(args: Sequence[str]) -> list[str]:
    """Return what is no switch and no value of --set."""
    before = ["", *args]
    return [
        word
        for last, word in zip(before, args, strict=False)
        if not word.startswith("-") and last != "--set"
    ]


def _is_daemon(words: list[str], args: list[str]) -> bool:
    asked = {"--rewind", "--reset", "-h", "--help"}.intersection(args)
    return "worker" in words[1:2] and not asked


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
    return p


def add_own(p: argparse.ArgumentParser, names: Sequence[str]) -> Subparsers:
    """Add sub-parsers of commands about tables."""
    subparsers: Subparsers = p.add_subparsers(
        title="commands", metavar="COMMAND", prog=f"{SERVICE} INI"
    )
    for name in names:
        command = commands.load(name)
        sub = subparsers.add_parser(name, help=command.help, description=command.help)
        command.arguments(sub)
        sub.set_defaults(own=command)
    return subparsers


def full_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands, those about nodes too."""
    from skytools.pgq.admin.cli import add_commands  # noqa: PLC0415 # takes long

    p = parser()
    add_commands(add_own(p, list(commands.COMMANDS)))
    return p


def _main(args: list[str], words: list[str]) -> int:
    if len(words) < 2 and not ASKING.intersection(args):
        # One word alone would be taken for the command.
        raise _incomplete(args, words)
    own = words[1:2] if len(words) > 1 and words[1] in commands.COMMANDS else []
    if own:
        p = parser()
        add_own(p, own)
    else:
        p = full_parser()
    return _run(p.parse_args(arrange(p, args)))


def _incomplete(args: list[str], words: list[str]) -> UsageError:
    """Return what is wrong without INI or command: a switch that nobody has, before all else."""
    _, left = parser().parse_known_args(args)
    known = command_switches(full_parser())
    for word in left:
        switch = word.partition("=")[0]
        if word.startswith("-") and not any(one.startswith(switch) for one in known):
            return UsageError(f"unrecognized arguments: {word}; see {SERVICE} --help")
    if words:
        return UsageError("an INI and a command are needed; `londiste --help` lists commands")
    return UsageError("which ini? Give its path, or --ini for a template")


def _run(opts: argparse.Namespace) -> int:
    loaded = load(LondisteConfig, opts.config, SERVICE, overrides_of(opts.set))
    cfg = loaded.config
    level = logging.WARNING if opts.quiet else logging.DEBUG if opts.verbose else logging.INFO
    logs.setup(level=level, console=True)
    if opts.verbose:
        for line in loaded.warnings:
            logging.getLogger(SERVICE).warning("%s", line)
    out = Output(as_json=opts.json)
    if hasattr(opts, "admin"):
        return _run_admin(opts, cfg, out)
    env = Env(opts, cfg, out, opts.config.absolute(), Progress(quiet=opts.quiet or opts.json))
    ending = "" if env.dry_run else opts.own.lock
    with locked(cfg, ending):
        try:
            code: int = opts.own.run(env)
        finally:
            env.close()
    return code


def _run_admin(opts: argparse.Namespace, cfg: LondisteConfig, out: Output) -> int:
    """Do a command about nodes."""
    from skytools.daemons.londiste.node_hooks import LondisteHooks  # noqa: PLC0415 # takes long
    from skytools.pgq.admin.cli import run as run_admin  # noqa: PLC0415 # likewise
    from skytools.pgq.admin.site import Site  # noqa: PLC0415 # likewise

    site = Site(
        queue=cfg.queue_name,
        db=cfg.db,
        worker=cfg.consumer,
        node_name=cfg.node_name,
        public_location=cfg.public_node_location,
        provider_location=cfg.initial_provider_location,
        extra_connstr=cfg.remote_extra_connstr,
        hooks=LondisteHooks(cfg),
    )
    return run_admin(opts, site, out)
