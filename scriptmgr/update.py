# SPDX-License-Identifier: ISC
"""`update`: read the inis again, compare, and change only what has changed."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr import checking
from skytools.scriptmgr.backoff import Verdict
from skytools.scriptmgr.config import Manager, load_manager
from skytools.scriptmgr.desired import Desired, JobState, Phase
from skytools.scriptmgr.discover import exporter_job
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.plugin import Plugin
from skytools.scriptmgr.prepare import write_files

log = logging.getLogger("scriptmgr")


@dataclass(slots=True)
class Plan:
    """What an update does, or would do: job names, and the faults of files."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    reloaded: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # faulty now, running with what they have read
    rejected: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0

    def as_data(self) -> dict[str, Any]:
        """Return the plan as JSON data."""
        return dataclasses.asdict(self)


def make_plan(states: dict[str, JobState], jobs: Sequence[Job], *, reload: bool) -> Plan:
    """Compare the jobs that are with the jobs that the inis describe.

    With `reload`, a running job whose command is the same gets HUP in place of a restart.
    """
    plan = Plan(rejected=[(job.name, job.error) for job in jobs if job.error])
    faulty = {(job.name, job.config) for job in jobs if job.error}
    good = {job.name: job for job in jobs if not job.error}
    for name, state in states.items():
        new = good.get(name)
        if new is None:
            keep = (name, state.job.config) in faulty and state.phase is Phase.UP
            (plan.kept if keep else plan.removed).append(name)
        elif state.job.same(new):
            _plan_unchanged(plan, name, state)
        elif reload and state.phase is Phase.UP and state.job.same_command(new):
            plan.reloaded.append(name)
        else:
            plan.restarted.append(name)
    plan.added = [name for name in good if name not in states]
    return plan


def _plan_unchanged(plan: Plan, name: str, state: JobState) -> None:
    if state.verdict is Verdict.CONFIG and state.desired is Desired.RUN:
        plan.retried.append(name)
    else:
        plan.unchanged += 1


Done = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Running:
    child: subprocess.Popen[str]
    answer: Any
    deadline: float
    manager: Manager
    dry_run: bool
    reload: bool
    done: Done


class Updater:
    """Runs one update at a time. The inis are read in a child, so the loop never waits."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._running: _Running | None = None
        self._held: dict[str, JobState] = {}  # records of jobs whose ini is faulty just now

    def begin(self, done: Done, *, dry_run: bool = False, reload: bool = False) -> None:
        """Start an update; `done` gets the plan, or {"error": text}.

        Raises SkytoolsError when one is under way, or the manager's ini is faulty.
        """
        if self._running is not None:
            raise SkytoolsError("another update is under way: try again in a moment")
        manager = self._load()
        owners = {name: state.job.config for name, state in self._plugin.states.items()}
        question = tempfile.TemporaryFile("w+")  # noqa: SIM115 - the child reads it meanwhile
        question.write(checking.request(manager, self._plugin.setup.overrides, owners))
        question.seek(0)
        answer = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the child has ended
        with question:
            child = subprocess.Popen(
                checking.COMMAND, stdin=question, stdout=answer, text=True, cwd="/"
            )
        deadline = time.monotonic() + checking.TIMEOUT
        self._running = _Running(child, answer, deadline, manager, dry_run, reload, done)

    def _load(self) -> Manager:
        old = self._plugin.manager
        new = load_manager(old.ini, old.instance, self._plugin.setup.overrides)
        for name in ("runtime_dir", "log_dir"):
            if getattr(new, name) != getattr(old, name):
                raise SkytoolsError(f"{name} has changed: that needs a restart of the manager")
        return new

    def poll(self, now: float) -> None:
        """Go on when the child has ended; part of the timer."""
        run = self._running
        if run is None:
            return
        status = self._plugin.exits.pop(run.child.pid, None)
        if status is None:
            if now > run.deadline:
                run.child.kill()
            return
        run.child.returncode = status  # supervisord has reaped it
        self._running = None
        with run.answer:
            run.answer.seek(0)
            text = run.answer.read()
        try:
            run.done(self._finish(run, checking.answer(text)))
        except SkytoolsError as exc:
            self.failed(str(exc))
            run.done({"error": str(exc)})

    def failed(self, text: str) -> None:
        """Note that the old set of jobs stays."""
        self._plugin.counters.reload_ok = False
        log.error("update refused, everything stays as it is: %s", text)

    def _finish(self, run: _Running, jobs: list[Job]) -> dict[str, Any]:
        exporter = exporter_job(run.manager)
        jobs = [*jobs, exporter] if exporter else jobs
        plan = make_plan(self._plugin.states, jobs, reload=run.reload)
        if not run.dry_run:
            self._plugin.manager = run.manager
            self._apply(plan, jobs)
            self._plugin.counters.reload_ok = True
            self._plugin.counters.reload_time = time.time()
        return plan.as_data()

    def _apply(self, plan: Plan, jobs: list[Job]) -> None:
        plugin, now = self._plugin, time.monotonic()
        good = {job.name: job for job in jobs if not job.error}
        faults = {job.name: job.error for job in jobs if job.error}
        kept = [plugin.states[name].job for name in plan.kept]
        write_files([*good.values(), *kept], plugin.setup.paths)
        plugin.options.process_config(do_usage=False)
        for name, state in list(plugin.states.items()):
            state.config_error = faults[name] if name in plan.kept else ""
            state.leaving = name in plan.removed
            if name in plan.removed and name in faults:
                self._held[name] = state
            if name in plan.restarted:
                state.successor = good[name]
            elif name in good:
                state.job = good[name]
        for name in plan.reloaded:
            plugin.states[name].reload()
        for name in plan.retried:
            plugin.states[name].retry(now)
        for name in plan.added:
            plugin.add(good[name], self._held.pop(name, None))
        plugin.register(good[name] for name in plan.added)
        plugin.rejected = [job for job in jobs if job.error and job.name not in plan.kept]
        _log(plan)


def _log(plan: Plan) -> None:
    for what in ("added", "removed", "restarted", "reloaded", "retried"):
        names = getattr(plan, what)
        if names:
            log.info("update: %s %s", what, ", ".join(names))
    for name, error in plan.rejected:
        log.error("job %s rejected: %s", name, error)
