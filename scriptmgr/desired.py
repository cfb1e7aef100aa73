# SPDX-License-Identifier: ISC
"""One job as the manager sees it: what is wanted, what is, and what to do next. No I/O here.

Times without a word are seconds of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from skytools.scriptmgr.backoff import Limits, RestartPolicy, Verdict, describe, judge
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.watchdog import Bite, Watchdog

# Between fork and exec a child still has the manager's handlers: a TERM then is lost.
MIN_LIFE = 0.5
# A job that is up for this long runs, ready or not (a database may be away).
START_SECONDS = 5.0


class Desired(Enum):
    """What is wanted of a job."""

    RUN = "run"
    STOPPED = "stopped"
    DISABLED = "disabled"


class Phase(Enum):
    """What its process does."""

    DOWN = "down"
    UP = "up"
    STOPPING = "stopping"


class Action(Enum):
    """What the manager is to do now."""

    SPAWN = "spawn"
    STOP = "stop"
    RELOAD = "reload"
    ABORT = "abort"
    KILL = "kill"
    RETIRE = "retire"  # take the stopped job, or its old definition, out of supervisord


@dataclass(slots=True)
class Tally:
    """Counters and facts that outlive a process and a change of definition."""

    starts: int = 0
    failures: int = 0
    watchdog_timeouts: int = 0
    last_exit: int | None = None
    last_exit_time: float | None = None  # epoch


@dataclass(slots=True)
class JobState:
    """The record of one job. Requests and events change it, `decide()` says what to do."""

    job: Job
    limits: Limits = field(default_factory=Limits)
    desired: Desired = Desired.RUN
    tally: Tally = field(default_factory=Tally)
    phase: Phase = Phase.DOWN
    pid: int = 0
    ready: bool = False
    reloading: bool = False
    status_text: str = ""
    error: str = ""
    started: float = 0.0
    start_time: float | None = None  # epoch
    next_start: float | None = None
    verdict: Verdict | None = None
    leaving: bool = False
    successor: Job | None = None
    config_error: str = ""
    stop_began: float = 0.0
    patience_ends: float = 0.0  # until when a stopping job may take its time
    policy: RestartPolicy = field(init=False)
    watchdog: Watchdog = field(init=False)
    _ready_since: float = 0.0
    _restarting: bool = False
    _hup_wanted: bool = False

    def __post_init__(self) -> None:
        self.policy = RestartPolicy(self.limits, self.job.max_restarts)
        self.watchdog = Watchdog(self.job.watchdog_sec)
        if self.job.disabled:
            self.desired = Desired.DISABLED

    # ---- requests of the operator

    def start(self, now: float) -> None:
        """Want it to run; forgets failures. A job that is stopping starts again after that."""
        if self.desired is Desired.DISABLED:
            return
        self.desired = Desired.RUN
        self._restarting = self._restarting or self.phase is Phase.STOPPING
        if self.phase is Phase.DOWN:
            self.retry(now)

    def retry(self, now: float) -> None:
        """Start at once what is wanted and down, whatever kept it down."""
        self.policy.reset()
        self.verdict = None
        self.next_start = now

    def stop(self) -> None:
        """Want it stopped."""
        if self.desired is Desired.DISABLED:
            return
        self.desired = Desired.STOPPED
        self._restarting = False
        self.next_start = None
        self.verdict = None
        self.policy.reset()

    def restart(self, now: float) -> None:
        """Stop it when it runs, then start it."""
        if self.desired is Desired.DISABLED:
            return
        self.start(now)
        self._restarting = self.phase is not Phase.DOWN

    def reload(self) -> None:
        """Send HUP as soon as the job can take it."""
        if self.phase is Phase.UP:
            self._hup_wanted = True

    # ---- events

    def spawned(self, pid: int, now: float, epoch: float) -> None:
        """Note a new process."""
        self.phase, self.pid = Phase.UP, pid
        self.started, self.start_time = now, epoch
        self.ready = self.reloading = self._hup_wanted = self._restarting = False
        self.status_text = ""
        self.next_start = self.verdict = None
        self.watchdog.reset()
        self.tally.starts += 1

    def spawn_failed(self, text: str, now: float) -> None:
        """Note that no process came to be."""
        self.tally.failures += 1
        self._back_off(text, now)

    def stopping(self, now: float) -> None:
        """Note that TERM was sent."""
        self.phase = Phase.STOPPING
        self.patience_ends = 0.0
        self.stop_began = now

    def exited(self, status: int, output: str, now: float, epoch: float) -> None:
        """Note the end of the process; `output` is the last line it printed."""
        asked = self.phase is Phase.STOPPING
        bitten = self.watchdog.bitten
        self.phase, self.pid, self.start_time = Phase.DOWN, 0, None
        self.ready = self.reloading = False
        self.tally.last_exit, self.tally.last_exit_time = status, epoch
        if asked and not bitten:
            self.error = ""
            self.next_start = now if self._restarting else None
            return
        text = describe(status)
        if bitten:
            self.tally.watchdog_timeouts += 1
            text = f"no sign of life for {self.job.watchdog_sec:g} s, {text}"
        elif output and status > 0:
            text = f"{text}: {output}"
        self._judge(status, text, now)

    def _judge(self, status: int, text: str, now: float) -> None:
        verdict = judge(status)
        if verdict is not Verdict.DONE:
            self.tally.failures += 1
        if verdict is Verdict.RETRY:
            self._back_off(text, now)
            return
        self.verdict, self.error, self.next_start = verdict, text, None
        if verdict is Verdict.DONE:
            self.error = "ended by itself (exit 0)"

    def _back_off(self, text: str, now: float) -> None:
        self.error = text
        delay = self.policy.failed()
        if delay is None:
            self.verdict, self.next_start = Verdict.FATAL, None
            self.error = f"{text}; given up after {self.job.max_restarts} restarts (max_restarts)"
        else:
            self.next_start = now + delay

    def message(self, fields: dict[str, str], now: float) -> None:
        """Take over what the job says about itself."""
        if fields.get("RELOADING") == "1":
            self.reloading = True
        if fields.get("READY") == "1":
            self._became_ready(now)
        if "STATUS" in fields:
            self.status_text = _clean(fields["STATUS"])
        word = fields.get("WATCHDOG")
        if word == "1":
            self.watchdog.ping(now)
        elif word == "trigger":
            self.watchdog.trigger(now)

    def _became_ready(self, now: float) -> None:
        self.reloading = False
        self.watchdog.ping(now)
        if not self.ready:
            self.ready, self._ready_since, self.error = True, now, ""

    def extend(self, now: float, seconds: float, limit: float) -> float:
        """Grant `seconds` more; returns those of a stopping job, which gets `limit` in all."""
        self.watchdog.extend(now, seconds)
        if self.phase is not Phase.STOPPING:
            return 0.0
        granted = min(now + seconds, self.stop_began + limit)
        self.patience_ends = max(self.patience_ends, granted)
        return self.patience_ends - now

    # ---- decisions

    def decide(self, now: float) -> Action | None:
        """Return the next thing to do, None when there is nothing."""
        if self.phase is Phase.UP:
            return self._decide_up(now)
        if self.phase is Phase.STOPPING:
            return None  # supervisord escalates to KILL by itself
        if self.leaving or self.successor is not None:
            return Action.RETIRE
        if self.desired is Desired.RUN and self.next_start is not None and now >= self.next_start:
            return Action.SPAWN
        return None

    def _decide_up(self, now: float) -> Action | None:
        if not self.job.notify and not self.ready and now - self.started >= MIN_LIFE:
            self._became_ready(now)  # it has no way to say so
        if self._unwanted:
            return Action.STOP if now - self.started >= MIN_LIFE else None
        bite = self.watchdog.check(now)
        if bite is not Bite.NONE:
            return Action.ABORT if bite is Bite.ABORT else Action.KILL
        if self._hup_wanted and self.ready:
            self._hup_wanted = False
            return Action.RELOAD
        if self.ready:
            self.policy.healthy_for(now - self._ready_since)
        return None

    @property
    def _unwanted(self) -> bool:
        return (
            self.desired is not Desired.RUN
            or self.leaving
            or self.successor is not None
            or self._restarting
        )

    def due(self) -> float | None:
        """Return when `decide()` may change its answer by time alone."""
        if self.phase is Phase.DOWN:
            return self.next_start if self.desired is Desired.RUN else None
        if self.phase is Phase.UP:
            if self._unwanted or (not self.job.notify and not self.ready):
                return self.started + MIN_LIFE
            return self.watchdog.due
        return None

    def state(self, now: float) -> str:
        """Return the state shown to people and in metrics."""
        if self.phase is Phase.STOPPING:
            return "stopping"
        if self.phase is Phase.UP:
            running = self.ready or now - self.started >= START_SECONDS
            return "running" if running else "starting"
        return self._state_down()

    def _state_down(self) -> str:
        if self.desired is Desired.DISABLED:
            return "disabled"
        if self.desired is Desired.STOPPED:
            return "stopped"
        if self.verdict is Verdict.DONE:
            return "exited"
        if self.verdict is not None:
            return "fatal"
        return "backoff" if self.policy.failures else "starting"

    @property
    def as_wanted(self) -> bool:
        """Whether there is nothing to complain about."""
        return self.desired is not Desired.RUN or (self.phase is Phase.UP and self.ready)

    @property
    def settled(self) -> bool:
        """Whether nothing more is under way: for those who wait."""
        if self.leaving or self.successor is not None or self._restarting:
            return False
        if self.desired is Desired.RUN:
            return self.verdict is not None or (self.phase is Phase.UP and self.ready)
        return self.phase is Phase.DOWN


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:500]
