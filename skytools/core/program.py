# SPDX-License-Identifier: ISC
"""The command line that every daemon has, from ini to service loop.

Switches as Skytools 3 and pgqd had them: -q -v -d -V -h, -s -k -r, --ini, --set; new: --check.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import skytools
from skytools.core import logs, metrics
from skytools.core.arguments import Parser, overrides_of
from skytools.core.cli import guard
from skytools.core.config import DaemonConfig, Loaded, load
from skytools.core.errors import UsageError
from skytools.core.pidfile import PidFile, background, send_signal
from skytools.core.service import Context, Daemon, Service, inherited_socket
from skytools.core.template import render_ini

_SIGNALS = {"stop": signal.SIGINT, "kill": signal.SIGTERM, "reload": signal.SIGHUP}


def run(daemon: type[Daemon[Any]], argv: Sequence[str] | None = None) -> int:
    """Run a daemon class as a program and return its exit code.

    0 stopped as asked, 1 crash, 2 usage or configuration, 3 recorded positions disagree.
    """
    args = sys.argv[1:] if argv is None else list(argv)
    name = daemon.service_name or Path(sys.argv[0]).stem
    return guard(name, lambda: _main(daemon, name, args))


def main(daemon: type[Daemon[Any]]) -> None:
    """Run a daemon class and end the process with its exit code; for console scripts."""
    sys.exit(run(daemon))


def parser(daemon: type[Daemon[Any]], name: str) -> argparse.ArgumentParser:
    """Return the parser of a daemon's command line."""
    p = Parser(prog=name, description=daemon.description)
    p.add_argument("config", nargs="?", type=Path, help="ini file")
    p.add_argument("args", nargs="*", help=argparse.SUPPRESS)
    p.add_argument("-q", "--quiet", action="store_true", help="nothing on stderr but errors")
    p.add_argument("-v", "--verbose", action="count", default=0, help="log more")
    p.add_argument("-d", "--daemon", action="store_true", help="go to the background")
    p.add_argument("-V", "--version", action="version", version=f"{name} {skytools.__version__}")
    p.add_argument("--ini", action="store_true", help="print a commented template and end")
    p.add_argument("--check", action="store_true", help="check the ini and end")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key")
    group = p.add_mutually_exclusive_group()
    group.add_argument("-s", "--stop", dest="signal", action="store_const", const="stop",
                       help="stop the running process after its current work")  # fmt: skip
    group.add_argument("-k", "--kill", dest="signal", action="store_const", const="kill",
                       help="like -s; twice within a second stops at once")  # fmt: skip
    group.add_argument("-r", "--reload", dest="signal", action="store_const", const="reload",
                       help="make the running process read its ini again")  # fmt: skip
    p.set_defaults(command=None)
    daemon.add_arguments(p)
    return p


def _main(daemon: type[Daemon[Any]], name: str, argv: list[str]) -> int:
    opts = parser(daemon, name).parse_args(argv)
    overrides = overrides_of(opts.set)
    if opts.ini:
        section = daemon.service_name or name
        sys.stdout.write(render_ini(daemon.Config, section, daemon.description, overrides))
        return 0
    if opts.config is None:
        raise UsageError("which ini? Give its path, or --ini for a template")
    loaded = load(daemon.Config, opts.config, daemon.service_name, overrides)
    if opts.check:
        for line in loaded.warnings:
            sys.stdout.write(f"warning: {line}\n")
        sys.stdout.write(f"{opts.config}: good\n")
        return 0
    if opts.signal:
        return _signal(loaded.config, opts.signal)
    if opts.command:
        return _command(daemon, opts, loaded.config)
    return _serve(daemon, opts, loaded, overrides)


def _signal(cfg: DaemonConfig, what: str) -> int:
    if cfg.pidfile is None:
        raise UsageError(f"--{what} needs the key pidfile in the ini")
    number = _SIGNALS[what]
    sent = send_signal(cfg.pidfile, number)
    text = f"{number.name} sent" if sent else "Old process is not running"
    sys.stdout.write(text + "\n")
    return 0


def _command(daemon: type[Daemon[Any]], opts: argparse.Namespace, cfg: DaemonConfig) -> int:
    """Run what a switch of the daemon's own asks for, beside a process that may be running."""
    _logging(cfg, opts)
    ctx = Context(job_name=cfg.job_name, args=tuple(opts.args))
    instance = daemon(ctx, cfg)
    try:
        instance.command(opts)
    finally:
        instance.close()
        ctx.close_databases()
    return 0


def _serve(
    daemon: type[Daemon[Any]],
    opts: argparse.Namespace,
    loaded: Loaded[Any],
    overrides: dict[str, str],
) -> int:
    cfg: DaemonConfig = loaded.config
    if opts.daemon and cfg.pidfile is None:
        raise UsageError("-d needs the key pidfile in the ini")
    if opts.daemon and cfg.logfile is None and not getattr(cfg, "syslog", False):
        raise UsageError("-d needs the key logfile in the ini: nobody would see the log")
    opts.config = opts.config.absolute()
    pidfile = PidFile(cfg.pidfile) if cfg.pidfile else None
    if pidfile:
        pidfile.acquire()
    try:
        _logging(cfg, opts)
        if opts.daemon:
            # Last, so that whatever is wrong is said on the terminal.
            assert pidfile is not None
            background(pidfile)
        return _run_service(daemon, opts, loaded, overrides)
    finally:
        if pidfile:
            pidfile.release()


def _run_service(
    daemon: type[Daemon[Any]],
    opts: argparse.Namespace,
    loaded: Loaded[Any],
    overrides: dict[str, str],
) -> int:
    cfg: DaemonConfig = loaded.config
    for line in loaded.warnings:
        logging.getLogger("skytools").warning("%s", line)
    faulthandler.enable()  # SIGABRT of a missed watchdog prints where it hung
    socket_path = inherited_socket() or cfg.metrics_socket
    ctx = Context(job_name=cfg.job_name, args=tuple(opts.args))
    ctx.signals.install()
    if socket_path:
        try:
            metrics.serve_metrics(ctx.metrics, Path(socket_path))
        except OSError as exc:
            raise UsageError(f"metrics socket {socket_path}: {exc.strerror or exc}") from exc

    def reread() -> Any:
        fresh = load(daemon.Config, opts.config, loaded.section, overrides)
        _logging(fresh.config, opts)
        return fresh.config

    return Service(daemon(ctx, cfg), ctx, reread).run()


def _logging(cfg: DaemonConfig, opts: argparse.Namespace) -> None:
    level = logging.WARNING if opts.quiet else logging.DEBUG if opts.verbose else logging.INFO
    extra = []
    if getattr(cfg, "syslog", False) and Path("/dev/log").exists():
        ident = getattr(cfg, "syslog_ident", cfg.job_name)
        extra.append(logs.syslog_handler(ident, getattr(cfg, "syslog_facility", "daemon")))
    try:
        logs.setup(
            level=level,
            console=not opts.daemon,
            logfile=cfg.logfile,
            log_size=cfg.log_size,
            log_count=cfg.log_count,
            extra=extra,
        )
    except OSError as exc:
        raise UsageError(f"logfile {cfg.logfile}: {exc.strerror}") from exc
