# SPDX-License-Identifier: ISC
"""`scriptmgr run`: the manager. It is supervisord's own main loop with our plug-in inside."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
from typing import Any

from supervisor import supervisord as supervisor_main
from supervisor.medusa import asyncore_25 as asyncore

from skytools.core import logs
from skytools.core.errors import SkytoolsError
from skytools.core.pidfile import PidFile
from skytools.scriptmgr import checking, loop
from skytools.scriptmgr.config import Manager
from skytools.scriptmgr.discover import exporter_job
from skytools.scriptmgr.leftovers import kill_leftovers
from skytools.scriptmgr.paths import Paths, make_folders, paths_of, require_usable
from skytools.scriptmgr.plugin import Setup
from skytools.scriptmgr.prepare import job_environment, write_files
from skytools.scriptmgr.relay import Relay
from skytools.scriptmgr.systemd import SystemdNotifier

log = logging.getLogger("scriptmgr")


def run_manager(manager: Manager, overrides: dict[str, str], level: int) -> int:
    """Run until told to stop; returns the exit code.

    Raises ConfigError for a bad runtime folder, SkytoolsError when another manager has it.
    """
    require_usable(manager)
    paths = paths_of(manager)
    make_folders(paths)
    with contextlib.ExitStack() as stack:
        _lock(stack, manager, paths)
        _logging(manager, level)
        faulthandler.enable()
        systemd = SystemdNotifier()
        kill_leftovers(paths.runtime)
        jobs = checking.find_jobs(manager, overrides)
        exporter = exporter_job(manager)
        jobs = [*jobs, exporter] if exporter else jobs
        write_files(jobs, paths)
        os.environ.update(job_environment(paths, supervised=systemd.supervised))
        relay = Relay(paths.notify, 0o666 if any(job.user for job in jobs) else 0o660)
        stack.callback(relay.close)
        loop.expect(Setup(manager, overrides, paths, jobs, systemd, relay))
        _supervise(paths)
    log.info("manager stopped")
    return 0


def _lock(stack: contextlib.ExitStack, manager: Manager, paths: Paths) -> None:
    lock = PidFile(paths.pidfile)
    try:
        lock.acquire()
    except SkytoolsError as exc:
        raise SkytoolsError(f"another manager uses {paths.runtime}: {exc}") from exc
    stack.callback(lock.release)
    if manager.config.pidfile:
        extra = PidFile(manager.config.pidfile)
        extra.acquire()
        stack.callback(extra.release)


def _logging(manager: Manager, level: int) -> None:
    config = manager.config
    try:
        logs.setup(
            level=level,
            logfile=config.logfile,
            log_size=config.log_size,
            log_count=config.log_count,
        )
    except OSError as exc:
        raise SkytoolsError(f"logfile {config.logfile}: {exc.strerror}") from exc
    for warning in manager.warnings:
        log.warning("%s", warning)


def _supervise(paths: Paths) -> None:
    """Run supervisord's main loop. Its own complaints before the loop become one error."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = _options(paths)
            supervisor = supervisor_main.Supervisor(options)
        supervisor.main()
    except asyncore.ExitNow:
        pass
    except SystemExit as exc:
        text = " ".join(said.getvalue().split()) or "see above"
        raise SkytoolsError(f"supervisord does not start: {text}") from exc
    options.close_httpservers()
    options.close_logger()


def _options(paths: Paths) -> Any:
    options = supervisor_main.ServerOptions()
    options.realize(["-n", "-c", str(paths.conf)], doc=supervisor_main.__doc__)
    options.first = True
    options.test = False
    return options
