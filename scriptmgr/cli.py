# SPDX-License-Identifier: ISC
"""The `scriptmgr` command line. `scriptmgr [switches] [INI] COMMAND [job ...]`, in any order."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import skytools
from skytools.core.arguments import Parser, overrides_of
from skytools.core.cli import Output, guard
from skytools.core.errors import ConfigError, UsageError
from skytools.core.template import render_ini
from skytools.scriptmgr import commands, exits, local
from skytools.scriptmgr.commands import Request, complain
from skytools.scriptmgr.config import SECTION, ManagerConfig, load_manager


def _run(req: Request) -> int:
    # Here, so that only the manager itself pays for importing supervisord.
    from skytools.scriptmgr.run import run_manager  # noqa: PLC0415

    return run_manager(req.manager, req.overrides, req.level)


_COMMANDS: dict[str, Callable[[Request], int]] = {
    "run": _run,
    "status": commands.status,
    "start": commands.start,
    "stop": commands.stop,
    "restart": commands.restart,
    "reload": commands.reload,
    "update": commands.update,
    "info": commands.info,
    "tail": local.tail,
    "check": local.check,
    "run-job": local.run_job,
}

# Switch -> commands it has a meaning for; elsewhere it would be a silent mistake.
_ALLOWED = {
    "wait": ("status", "start", "stop", "restart", "update"),
    "no_wait": ("stop",),
    "timeout": ("status", "start", "stop", "restart", "update"),
    "rolling": ("restart",),
    "dry_run": ("update",),
    "update_reload": ("update",),
    "follow": ("tail",),
    "lines": ("tail",),
    "all": ("status", "start", "stop", "restart", "reload", "info"),
    "type": ("status", "start", "stop", "restart", "reload", "info"),
    "json": ("status", "start", "stop", "restart", "reload", "update", "info", "check"),
}

_EPILOG = """\
commands:
  run                  run the manager in the foreground
  status [job ...]     show jobs; exit 0 when each is as wanted
  start job ...        start jobs (-w: wait until ready)
  stop job ...         stop jobs and wait for it (--no-wait: do not)
  restart job ...      stop and start jobs (-w: wait; --rolling: one at a time until ready)
  reload job ...       have jobs read their inis again
  update               take over changed inis (--dry-run: only show; --reload: HUP, not restart)
  info [job ...]       show all that is known of jobs
  tail job             show a job's log (-f: follow; -n N: lines)
  check                check all inis; exit 78 on a fault
  run-job job          become one job, without a manager

A job is a name or a glob. The INI of the manager may come first; default /etc/skytools.ini.

exit codes:
  0 as wanted   1 not as wanted   2 usage   3 manager not running   4 unknown job
  5 no permission   78 configuration
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser; switches may stand anywhere, as they could in Skytools 3."""
    p = Parser(
        prog="scriptmgr",
        usage="scriptmgr [switches] [INI] COMMAND [job ...]",
        description="Keep the jobs of a folder of ini files running.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = p.add_argument
    add("words", nargs="*", help=argparse.SUPPRESS)
    add("-a", "--all", action="store_true", help="all jobs")
    add("-t", "--type", default="", metavar="SERVICE", help="all jobs of one service")
    add("-w", "--wait", action="store_true", help="wait until the jobs are as wanted")
    add("--no-wait", action="store_true", help="stop: return at once")
    add(
        "--timeout",
        type=_seconds,
        metavar="SEC",
        help="longest wait; default 60 s plus the jobs' stop_timeout",
    )
    add("--rolling", action="store_true", help="restart: one job at a time")
    add("--dry-run", action="store_true", help="update: only show what would change")
    add("--reload", dest="update_reload", action="store_true",
        help="update: HUP for jobs whose own keys have changed")  # fmt: skip
    add("-f", "--follow", action="store_true", help="tail: go on as the log grows")
    add("-n", "--lines", type=_count, metavar="N", help="tail: how many lines, default 20")
    add("--json", action="store_true", help="write JSON")
    add("-I", "--instance", default="", metavar="NAME",
        help="the manager of /etc/skytools-NAME.ini and /run/skytools-NAME")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key of [scriptmgr]")  # fmt: skip
    add("--ini", action="store_true", help="print a commented template of the ini and end")
    add("-q", "--quiet", action="store_true", help="log errors only")
    add("-v", "--verbose", action="store_true", help="log more")
    add("-d", "--daemon", action="store_true", help=argparse.SUPPRESS)
    add("-s", "--stop", dest="signal", action="store_const", const="-s", help="stop the manager")
    add("-k", "--kill", dest="signal", action="store_const", const="-k", help="kill the manager")
    add("-r", dest="signal", action="store_const", const="-r", help="the same as update --reload")
    add("-V", "--version", action="version", version=f"scriptmgr {skytools.__version__}")
    return p


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    return guard("scriptmgr", lambda: _main(args))


def _main(args: list[str]) -> int:
    opts = parser().parse_intermixed_args(args)
    if opts.ini:
        sys.stdout.write(render_ini(ManagerConfig, SECTION, "Settings of scriptmgr."))
        return exits.OK
    try:
        req = _request(opts)
        handler = local.signal_manager if opts.signal else _COMMANDS[req.command]
        return handler(req)
    except ConfigError as exc:
        for line in str(exc).splitlines():
            complain(line)
        return exits.CONFIG


def _request(opts: argparse.Namespace) -> Request:
    ini, command, names = _words(opts)
    if not opts.signal:
        _require_allowed(opts, command)
    level = logging.ERROR if opts.quiet else logging.DEBUG if opts.verbose else logging.INFO
    if opts.instance and ini:
        raise UsageError("-I and an INI exclude each other: -I NAME means /etc/skytools-NAME.ini")
    overrides = overrides_of(opts.set)
    return Request(
        command=command,
        manager=load_manager(ini, opts.instance, overrides),
        overrides=overrides,
        names=tuple(names),
        service=opts.type,
        everything=opts.all,
        wait=opts.wait,
        no_wait=opts.no_wait,
        rolling=opts.rolling,
        dry_run=opts.dry_run,
        reload=opts.update_reload,
        timeout=opts.timeout,
        follow=opts.follow,
        lines=20 if opts.lines is None else opts.lines,
        level=level,
        out=Output(as_json=opts.json),
    )


def _words(opts: argparse.Namespace) -> tuple[Path | None, str, list[str]]:
    """Split the words into INI, command and jobs. Source: the INI came first in Skytools 3."""
    words = list(opts.words)
    ini = None
    if words and words[0] not in _COMMANDS and (words[0].endswith(".ini") or "/" in words[0]):
        ini = Path(words.pop(0))
    if opts.signal:
        if words:
            raise UsageError(f"{opts.signal} acts on the manager and takes no command")
        return ini, opts.signal, []
    if not words:
        raise UsageError("no command given; `scriptmgr --help` lists them")
    command = words.pop(0)
    if command not in _COMMANDS:
        raise UsageError(f"unknown command {command}; commands: {', '.join(_COMMANDS)}")
    if words and command in ("run", "update", "check"):
        raise UsageError(f"{command} takes no jobs")
    return ini, command, words


def _require_allowed(opts: argparse.Namespace, command: str) -> None:
    for switch, allowed in _ALLOWED.items():
        if getattr(opts, switch) not in (None, False, "") and command not in allowed:
            name = switch.removeprefix("update_").replace("_", "-")
            raise UsageError(f"--{name} means nothing to {command}, only to {', '.join(allowed)}")
    if opts.daemon and command == "run":
        raise UsageError("-d: the manager stays in the foreground; let systemd run it")
