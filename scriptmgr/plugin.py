# SPDX-License-Identifier: ISC
"""The manager's part inside supervisord: a timer, event hooks, and the job records.

supervisord spawns, reaps, signals and answers RPC; when, and whether, is decided here. Every
entry from its loop goes through `guarded`: an exception there would end the loop.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ParamSpec

from supervisor import events
from supervisor.states import ProcessStates, SupervisorStates

from skytools.core.cli import failure_of
from skytools.scriptmgr.backoff import Limits
from skytools.scriptmgr.config import Manager
from skytools.scriptmgr.desired import Action, Desired, JobState, Phase
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.mailbox import Mailbox
from skytools.scriptmgr.outlet import last_line
from skytools.scriptmgr.paths import Paths, make_user_folder
from skytools.scriptmgr.relay import Relay
from skytools.scriptmgr.runjob import DEATH_ENV, dying_with, inside_child
from skytools.scriptmgr.shutdown import Shutdown
from skytools.scriptmgr.summary import one_line
from skytools.scriptmgr.systemd import SystemdNotifier

log = logging.getLogger("scriptmgr")

P = ParamSpec("P")
IDLE = 1.0  # longest wait while anything is under way, seconds; supervisord's own
QUIET = 5.0  # longest wait when nothing is: signals, messages and requests end it
REMIND = 3600.0
SHORT = 0.1  # while something has to be looked at again and again


@dataclass(slots=True)
class Setup:
    """What `run` prepares before supervisord's loop begins."""

    manager: Manager
    overrides: dict[str, str]
    paths: Paths
    jobs: list[Job]
    systemd: SystemdNotifier
    relay: Relay


def guarded(method: Callable[P, None]) -> Callable[P, None]:
    """Keep a hook's exception from reaching supervisord's loop; it is logged and counted."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        exc = failure_of(functools.partial(method, *args, **kwargs))
        if exc is not None:
            plugin: Any = args[0]
            plugin.counters.hook_errors += 1
            where = method.__qualname__
            log.error("unexpected error in %s, please report it", where, exc_info=exc)

    return wrapper


@dataclass(slots=True)
class Counters:
    """What the manager counts about itself, and how its last reload went."""

    hook_errors: int = 0
    reload_ok: bool = True
    reload_time: float = field(default_factory=time.time)


class Plugin:
    """Job records, and their coupling to one `supervisor.supervisord.Supervisor`."""

    def __init__(self, supervisord: Any, setup: Setup) -> None:
        self.supervisord = supervisord
        self.options: Any = supervisord.options
        self.setup = setup
        self.manager = setup.manager
        self.counters = Counters()
        self.states: dict[str, JobState] = {}
        self.rejected: list[Job] = []
        self.on_tick: list[Callable[[float], None]] = []
        self.on_running: list[Callable[[], None]] = []
        self.exits: dict[int, int] = {}
        self._shutdown: Shutdown | None = None
        self._channels = 0  # in supervisord's loop while no client is connected
        self._next_spawn = 0.0
        self._mailbox = Mailbox(
            setup.relay, self.options.pidhistory, self.states, self._became_ready
        )
        self._failures_told: dict[str, tuple[str, float]] = {}  # last failure in the log, and when
        self.adopt(setup.jobs)

    # ---- coupling

    def attach(self) -> None:
        """Couple to the loop; called once, before it starts."""
        events.subscribe(events.SupervisorRunningEvent, self._on_running)
        events.subscribe(events.SupervisorStoppingEvent, self._on_stopping)
        events.subscribe(events.ProcessStateEvent, self._on_process_state)
        self._record_exits()
        self._shorten_poll()
        arm = dying_with(os.getpid()) if DEATH_ENV in os.environ else None
        self.options.execve = inside_child(str(self.setup.paths.runtime), arm)

    def _record_exits(self) -> None:
        """Supervisord drops the status of an early death: note every status as it is reaped."""
        original = self.options.waitpid

        def waitpid() -> tuple[int | None, int | None]:
            pid, status = original()
            if pid:
                self.exits[pid] = os.waitstatus_to_exitcode(status)
            return pid, status

        self.options.waitpid = waitpid

    def _shorten_poll(self) -> None:
        """Supervisord waits a full second: less when something of ours is due, else more."""
        original = self.options.poller.poll

        def poll(_timeout: float) -> Any:
            return original(self.patience())

        self.options.poller.poll = poll

    @guarded
    def _on_running(self, _event: Any) -> None:
        self._channels = len(self.options.get_socket_map())
        for hook in self.on_running:
            hook()
        log.info("manager runs: %d jobs, %d rejected", len(self.states), len(self.rejected))
        for job in self.rejected:
            log.error("job %s rejected: %s", job.name, job.error)

    @guarded
    def _on_stopping(self, _event: Any) -> None:
        if self.options.mood == SupervisorStates.RESTARTING:
            # supervisord would start over in this process and close our descriptors.
            self.options.mood = SupervisorStates.SHUTDOWN
        log.info("stopping all jobs")
        self.supervisord.stop_groups = []  # it would stop one group at a time
        self._shutdown = Shutdown(self.states)
        self.setup.systemd.stopping()
        self.setup.systemd.extend(self._shutdown.longest() + 10)

    @guarded
    def _on_process_state(self, event: Any) -> None:
        process = event.process
        state = self.states.get(process.config.name)
        if state is None or not process.pid:
            return
        if process.state == ProcessStates.STOPPING:
            state.stopping(time.monotonic())
        elif process.state in (
            ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.BACKOFF
        ):  # fmt: skip
            self._exited(state, process.pid)

    def _exited(self, state: JobState, pid: int) -> None:
        now = time.monotonic()
        status = self.exits.pop(pid, 0)
        output = last_line(self.setup.paths.output(state.job.name), state.start_time or 0.0)
        asked = state.phase is Phase.STOPPING
        state.exited(status, output, now, time.time())
        if asked and not state.error:
            log.info("job %s: stopped", state.job.name)
        elif state.next_start is None:
            log.error("job %s: %s; not started again", state.job.name, state.error)
        else:
            self._log_failure(state, now)

    def _log_failure(self, state: JobState, now: float) -> None:
        """Log a failure that is retried. The same one over and over is told once an hour."""
        told = self._failures_told.get(state.job.name)
        if told is not None and told[0] == state.error and now - told[1] < REMIND:
            return
        self._failures_told[state.job.name] = (state.error, now)
        delay = (state.next_start or now) - now
        log.warning("job %s: %s; next start in %.1f s", state.job.name, state.error, delay)

    # ---- the timer

    @property
    def dropped(self) -> int:
        """Messages of unknown processes."""
        return self._mailbox.dropped

    @property
    def stopping(self) -> bool:
        """Whether the manager is about to end."""
        return self._shutdown is not None

    def patience(self) -> float:
        """Return for how long the loop may sleep, in seconds."""
        now = time.monotonic()
        dues = [due for state in self.states.values() if (due := state.due()) is not None]
        if self.stopping or self._mailbox.patient(now):
            return SHORT
        longest = self._longest_wait()
        if not dues:
            return longest
        return min(longest, max(0.02, min(dues) - now, self._next_spawn - now))

    def _longest_wait(self) -> float:
        # Answers that are to come later are looked for in each pass, by supervisord's server.
        if len(self.options.get_socket_map()) > self._channels or self.setup.systemd.behind:
            return IDLE
        if any(state.phase is Phase.STOPPING for state in self.states.values()):
            return IDLE
        return min(QUIET, self.setup.systemd.ping_interval or QUIET)

    @guarded
    def tick(self) -> None:
        """Do what is due; called once in each pass of supervisord's loop."""
        now = time.monotonic()
        extension = self._mailbox.read(now, self.manager.config.stop_timeout_max)
        if extension and self._shutdown is not None:
            self.setup.systemd.extend(extension + 10)
        for state in self._mailbox.patient(now):
            self._hold_back(state, now)
        if self._shutdown is not None:
            for name in self._shutdown.wave(now):
                self.supervisord.process_groups[name].stop_all()
        else:
            for hook in self.on_tick:
                hook(now)
            self._act(now)
        self.setup.systemd.tick(now, self.status_line)

    def status_line(self) -> str:
        """Return the manager's state in one line."""
        prefix = "stopping; " if self._shutdown is not None else ""
        return prefix + one_line(self.states.values(), len(self.rejected))

    def _act(self, now: float) -> None:
        unborn = False
        for state in sorted(self.states.values(), key=lambda s: (s.job.priority, s.job.name)):
            action = state.decide(now)
            if action is Action.SPAWN:
                if now < self._next_spawn:
                    unborn = unborn or not state.tally.starts
                    continue
                self._next_spawn = now + self.manager.config.start_interval
            if action is not None:
                self._perform(state, action)
        if not unborn:
            self.setup.systemd.ready()

    def _perform(self, state: JobState, action: Action) -> None:
        name = state.job.name
        if action is Action.RETIRE:
            self._retire(state)
            return
        process = self._process(name)
        if action is Action.SPAWN:
            self._spawn(state, process)
        elif action is Action.STOP:
            log.info("job %s: stopping (pid %d)", name, state.pid)
            process.stop()
        elif action is Action.RELOAD:
            process.signal(signal.SIGHUP)
        elif action is Action.ABORT:
            log.error("job %s: no sign of life, aborting pid %d", name, state.pid)
            self.options.kill(state.pid, signal.SIGABRT)
        else:
            self.options.kill(-state.pid, signal.SIGKILL)

    def _process(self, name: str) -> Any:
        return self.supervisord.process_groups[name].processes[name]

    def _spawn(self, state: JobState, process: Any) -> None:
        make_user_folder(self.setup.paths, state.job)
        epoch = time.time()  # before it can print: an end at once has its last line shown
        process.spawn()
        now = time.monotonic()
        if process.pid:
            state.spawned(process.pid, now, epoch)
            level = logging.DEBUG if state.policy.failures else logging.INFO
            log.log(level, "job %s: started (pid %d)", state.job.name, process.pid)
        else:
            state.spawn_failed(process.spawnerr or "cannot be started", now)
            self._log_failure(state, now)

    def _hold_back(self, state: JobState, now: float) -> None:
        """Put off KILL; supervisord trims a delay that is longer than stopwaitsecs."""
        process = self._process(state.job.name)
        left = min(state.patience_ends - now, process.config.stopwaitsecs)
        process.delay = max(process.delay, time.time() + left)

    def _became_ready(self, state: JobState) -> None:
        """Note that a job has become ready."""
        log.info("job %s: ready", state.job.name)
        self._failures_told.pop(state.job.name, None)

    # ---- the set of jobs

    def adopt(self, jobs: Iterable[Job]) -> None:
        """Take over a set of jobs at start, wanting them as their inis say."""
        for job in jobs:
            if job.error:
                self.rejected.append(job)
            else:
                self.add(job)

    def add(self, job: Job, old: JobState | None = None) -> JobState:
        """Make the record of a job, in place of `old` if there was one."""
        limits = self.limits()
        state = JobState(job, limits) if old is None else JobState(job, limits, tally=old.tally)
        if old is not None and old.desired is Desired.STOPPED and not job.disabled:
            state.desired = Desired.STOPPED
        if state.desired is Desired.RUN:
            state.next_start = time.monotonic()
        self.states[job.name] = state
        return state

    def limits(self) -> Limits:
        """Return the back-off limits of the manager's ini."""
        config = self.manager.config
        return Limits(config.backoff_first, config.backoff_max, config.backoff_reset)

    def _retire(self, state: JobState) -> None:
        name, successor = state.job.name, state.successor
        if name in self.supervisord.process_groups:
            self.supervisord.remove_process_group(name)
        if successor is None:
            del self.states[name]
            log.info("job %s: removed", name)
            return
        self.add(successor, state)
        self.register([successor])

    def register(self, jobs: Iterable[Job]) -> None:
        """Make supervisord know jobs that are in its configuration file."""
        wanted = {job.name for job in jobs if not job.disabled}
        for config in self.options.process_group_configs:
            if config.name in wanted:
                self.supervisord.add_process_group(config)
