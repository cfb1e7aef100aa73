# SPDX-License-Identifier: ISC
"""The service: keeps the receiver running, fills the archive, makes backups, tells how it is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from skytools.core.backoff import Backoff
from skytools.core.cli import Output
from skytools.core.errors import SkytoolsError, TransientError, UsageError
from skytools.core.service import Context, Daemon, Pause
from skytools.walmgr import postgres
from skytools.walmgr.config import SERVICE, WalmgrConfig
from skytools.walmgr.drill import Drill, last_drill
from skytools.walmgr.facts import (
    Facts,
    being_made,
    gather,
    is_running,
    newest_complete,
    ready_files,
)
from skytools.walmgr.legacy import place_of
from skytools.walmgr.metrics import WalmgrMetrics
from skytools.walmgr.pausing import Resumer
from skytools.walmgr.postgres import Programs
from skytools.walmgr.receiver import Receiver, collect
from skytools.walmgr.remote import clean_environment
from skytools.walmgr.site import Site, program_of_process
from skytools.walmgr.sync import SyncPolicy
from skytools.walmgr.textfile import render, replace_file
from skytools.walmgr.wal import WalError

ROUND = 0.5
FACTS_PERIOD = 10.0
FIRST_DRILL = 3600.0  # seconds after the first set
RETRY = 3600.0


class WalmgrDaemon(Daemon[WalmgrConfig]):
    """One round: receiver, archive, commits that wait, backup, metrics."""

    Config = WalmgrConfig
    service_name = SERVICE
    description = "Receives WAL into the archive, makes backups, watches primary and standby."

    def __init__(self, ctx: Context, cfg: WalmgrConfig) -> None:
        super().__init__(ctx, cfg)
        if os.geteuid() == 0:
            raise UsageError("run it as the user of the PostgreSQL server, not as root")
        self._use(cfg)
        if host := place_of(self.site).host:
            raise UsageError(f"the service runs where the archive is, on {host}")
        self.metrics = WalmgrMetrics(ctx.metrics, self._stats)
        self._failures = ctx.metrics.counter(
            "skytools_walmgr_backup_failures_total", "Backups of the service that failed."
        )
        self._programs: Programs | None = None
        self._away = ""
        self._facts_at = 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._verb = ""
        self._quiet_until: dict[str, float] = {}
        self._periodic_at = time.monotonic()
        self._collect_at = 0.0
        self._rest = Backoff()

    def _use(self, cfg: WalmgrConfig) -> None:
        self.site = Site(cfg, ini_of_process(), program_of_process(), Output())
        self.receiver = Receiver(self.site)
        self.sync = SyncPolicy(cfg)
        self.resumer = Resumer(self.site)

    def _stats(self) -> dict[str, float]:
        """Read the archive's counters; the archive may be another one after a reload."""
        return self.site.archive.stats()

    def reload(self, cfg: WalmgrConfig) -> None:
        """Take over a new configuration; the receiver starts again with it."""
        self.close()
        self.cfg = cfg
        self._use(cfg)
        self._programs = None

    def close(self) -> None:
        """Stop the receiver; a backup that runs goes on."""
        self.receiver.stop()
        self.resumer.close()
        self.site.close()

    def step(self) -> Pause:
        """Do one round. Raises SkytoolsError."""
        try:
            self.site.require_folders()
            self._collect()
            self._receive()
        except (WalError, OSError) as exc:
            raise SkytoolsError(_told(exc)) from exc
        if self.resumer.look():
            self.ctx.log.info("the pause of replay has come to its end")
        self._look()
        self._run_periodic()
        return Pause(ROUND)

    def _collect(self) -> None:
        """Take what was received into the archive; nothing else waits while that cannot be."""
        if time.monotonic() < self._collect_at:
            return
        try:
            collect(self.site)
        except (WalError, OSError) as exc:
            delay = self._rest.next()
            self._collect_at = time.monotonic() + delay
            self.ctx.log.error("%s; next try in %.1f s", _told(exc), delay)
        else:
            self._rest.reset()

    def _receive(self) -> None:
        if not self.receiver.wanted:
            self.receiver.stop()
            self.site.close()
            return
        try:
            self.receiver.supervise(self._programs or self._learn())
        except TransientError as exc:
            # Not an error of ours that earns a long pause: commits wait when the primary is back.
            self.site.close()
            level = logging.DEBUG if str(exc) == self._away else logging.WARNING
            self.ctx.log.log(level, "%s; trying again", exc)
            self._away = str(exc)
        else:
            self._away = ""

    def _learn(self) -> Programs:
        """Find the programs for the primary's version. Raises SkytoolsError."""
        server = postgres.ask_server(self.site.primary())
        self.site.archive.claim(server.system_id)
        self._programs = self.site.programs(server.major)
        return self._programs

    def _look(self) -> None:
        """Now and then: ask the servers, set the metrics, start a backup that is due."""
        now = time.monotonic()
        due = now - self._facts_at >= min(FACTS_PERIOD, self.cfg.degrade_after / 4)
        if not due or not self.receiver.wanted:
            return
        self._facts_at = now
        facts = gather(self.site)
        self.ctx.notify.status(self._away or self.receiver.trouble or being_made(facts.sets))
        drill = last_drill(self.site)
        self.metrics.update(facts, ready_files(self.site.leader), drill)
        self._write_metrics()
        if facts.primary is not None and not facts.primary["in_recovery"]:
            self.sync.apply(self.site.primary())
        self._run_verbs(due_verbs(self.cfg, facts, drill), busy=is_running(facts.sets))

    def _write_metrics(self) -> None:
        path = self.cfg.metrics_file
        if path is None:
            return
        try:
            replace_file(path, render(self.ctx.metrics.registry.collect(), self.cfg.job_name))
        except OSError as exc:
            # WAL comes first.
            self.ctx.log.warning("%s cannot be written: %s", path, exc.strerror)

    def _run_verbs(self, due: list[str], *, busy: bool) -> None:
        """Start a verb of ours that is due, one at a time, and see how the last one ended."""
        process = self._child
        if process is not None:
            if process.poll() is None:
                return
            self._child = None
            if process.returncode != 0:
                if self._verb == "backup":
                    self._failures.inc()
                self._quiet_until[self._verb] = time.monotonic() + RETRY
                self.ctx.log.error("%s failed with exit code %d", self._verb, process.returncode)
        now = time.monotonic()
        ready = [verb for verb in due if now >= self._quiet_until.get(verb, 0.0)]
        if ready and not busy:
            self._verb = ready[0]
            self.ctx.log.info("starting %s", self._verb)
            words = [sys.executable, "-m", "skytools.walmgr", str(self.site.ini), self._verb]
            self._child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env=clean_environment({"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}),
            )  # fmt: skip

    def _run_periodic(self) -> None:
        cfg = self.cfg
        if not cfg.periodic_command or not cfg.command_interval:
            return
        if time.monotonic() - self._periodic_at < cfg.command_interval:
            return
        self._periodic_at = time.monotonic()
        done = subprocess.run(
            ["sh", "-c", cfg.periodic_command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            env=clean_environment(),
        )  # fmt: skip
        if done.returncode != 0:
            self.ctx.log.error("periodic_command failed with exit code %d", done.returncode)


def _told(exc: WalError | OSError) -> str:
    if isinstance(exc, OSError):
        return f"{exc.filename or 'archive'}: {exc.strerror or exc}"
    return str(exc)


def ini_of_process() -> Path:
    """Return the ini that this process was started with."""
    for word in sys.argv[1:]:
        if not word.startswith("-") and word != SERVICE and Path(word).is_file():
            return Path(word).absolute()
    raise UsageError("which ini? Give its path")


def due_verbs(cfg: WalmgrConfig, facts: Facts, drill: Drill | None) -> list[str]:
    """Return what the service has to start, the most important first."""
    primary, newest, wanted = facts.primary, newest_complete(facts.sets), []
    if primary is not None and not primary["in_recovery"]:
        age = facts.moment - newest.finished if newest else float("inf")
        if age >= cfg.backup_interval * 3600 > 0:
            wanted.append("backup")
        interval, last = cfg.drill_interval * 3600, drill.moment if drill else 0.0
        if drill is None and newest is not None:
            # Not in the way of who sets all up, and makes a second set and a trial by hand.
            interval, last = min(interval, FIRST_DRILL), _oldest(facts)
        if newest is not None and facts.moment - last >= interval > 0:
            wanted.append("drill")
    if facts.offsite is not None:
        since_copy = facts.moment - (facts.offsite["finished"] or 0.0)
        if since_copy >= cfg.offsite_interval * 60 > 0:
            wanted.append("offsite")
    return wanted


def _oldest(facts: Facts) -> float:
    return min(one.finished for one in facts.sets if one.complete)
