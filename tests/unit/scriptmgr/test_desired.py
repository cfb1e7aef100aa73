# SPDX-License-Identifier: ISC
"""The record of one job, under a clock of our own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from skytools.scriptmgr.backoff import Limits
from skytools.scriptmgr.desired import MIN_LIFE, START_SECONDS, Action, Desired, JobState, Phase
from skytools.scriptmgr.jobs import Job


def make(**keys: Any) -> JobState:
    state = JobState(Job(name="j", **keys), Limits(first=1.0, cap=60.0))
    state.start(0.0)
    return state


def up(state: JobState, now: float, *, ready: bool = True) -> None:
    assert state.decide(now) is Action.SPAWN
    state.spawned(100, now, now)
    if ready:
        state.message({"READY": "1"}, now)


def test_starts_and_becomes_ready() -> None:
    state = make()
    assert state.state(0.0) == "starting"
    up(state, 0.0, ready=False)
    assert state.state(1.0) == "starting"
    assert not state.as_wanted
    state.message({"READY": "1", "STATUS": "fine"}, 1.0)
    assert (state.state(1.0), state.status_text) == ("running", "fine")
    assert state.as_wanted
    assert state.settled


def test_up_for_long_is_running_but_not_ready() -> None:
    state = make()
    up(state, 0.0, ready=False)
    assert state.state(START_SECONDS) == "running"
    assert not state.as_wanted


def test_stop_waits_out_the_first_half_second() -> None:
    """A TERM between fork and exec is lost."""
    state = make()
    up(state, 10.0)
    state.stop()
    assert state.decide(10.1) is None
    assert state.due() == 10.0 + MIN_LIFE
    assert state.decide(10.5) is Action.STOP
    state.stopping(10.5)
    assert state.state(10.5) == "stopping"
    state.exited(-15, "", 11.0, 11.0)
    assert (state.state(11.0), state.error, state.tally.failures) == ("stopped", "", 0)
    assert state.decide(1e6) is None


def test_restart_spawns_when_reaped() -> None:
    state = make()
    up(state, 0.0)
    state.restart(1.0)
    assert not state.settled
    assert state.decide(1.0) is Action.STOP
    state.stopping(1.0)
    state.exited(0, "", 2.0, 2.0)
    assert state.decide(2.0) is Action.SPAWN


def test_start_while_stopping_starts_again() -> None:
    state = make()
    up(state, 0.0)
    state.stop()
    state.stopping(1.0)
    state.start(1.5)
    assert not state.settled
    state.exited(0, "", 2.0, 2.0)
    assert state.decide(2.0) is Action.SPAWN


def test_stop_while_restarting_stays_down() -> None:
    state = make()
    up(state, 0.0)
    state.restart(1.0)
    state.stopping(1.0)
    state.stop()
    state.exited(0, "", 2.0, 2.0)
    assert state.decide(1e6) is None
    assert state.state(3.0) == "stopped"


def test_unwanted_exit_backs_off() -> None:
    state = make()
    up(state, 0.0)
    state.exited(1, "no such queue", 5.0, 5.0)
    assert (state.state(5.0), state.error) == ("backoff", "exit 1: no such queue")
    assert state.decide(5.7) is None
    assert state.decide(6.3) is Action.SPAWN
    assert state.tally.failures == 1


def test_last_line_explains_exits_not_signals() -> None:
    state = make()
    up(state, 0.0)
    state.exited(-9, "all is well", 5.0, 5.0)
    assert state.error == "killed by signal 9"


@pytest.mark.parametrize(("status", "shown"), [(0, "exited"), (2, "fatal"), (3, "fatal")])
def test_final_exits_stay_down_until_started(status: int, shown: str) -> None:
    state = make()
    up(state, 0.0)
    state.exited(status, "", 5.0, 5.0)
    assert state.state(5.0) == shown
    assert state.decide(1e6) is None
    assert state.settled
    assert not state.as_wanted
    state.start(10.0)
    assert state.decide(10.0) is Action.SPAWN


def test_hup_is_held_until_ready() -> None:
    state = make()
    up(state, 0.0, ready=False)
    state.reload()
    assert state.decide(1.0) is None
    state.message({"READY": "1"}, 2.0)
    assert state.decide(2.0) is Action.RELOAD
    assert state.decide(2.0) is None


def test_held_hup_dies_with_its_process() -> None:
    state = make()
    up(state, 0.0, ready=False)
    state.reload()
    state.exited(1, "", 1.0, 1.0)
    up(state, 10.0)
    assert state.decide(11.0) is None


def test_watchdog_leads_to_abort_and_counts() -> None:
    state = make(watchdog_sec=5.0)
    up(state, 0.0)
    assert state.decide(4.9) is None
    assert state.decide(5.0) is Action.ABORT
    state.exited(-6, "", 5.1, 5.1)
    assert state.error == "no sign of life for 5 s, killed by signal 6"
    assert (state.tally.watchdog_timeouts, state.tally.failures) == (1, 1)
    assert state.state(5.1) == "backoff"


def test_ready_for_long_forgets_failures() -> None:
    state = make()
    up(state, 0.0)
    state.exited(1, "", 1.0, 1.0)
    up(state, 10.0)
    state.decide(129.0)
    assert state.policy.failures == 1
    state.decide(130.1)
    assert state.policy.failures == 0


def test_job_without_notify_is_ready_by_living() -> None:
    state = make(notify=False)
    up(state, 0.0, ready=False)
    state.decide(0.1)
    assert not state.ready
    state.decide(MIN_LIFE)
    assert state.ready


def test_disabled_takes_no_orders() -> None:
    state = make(disabled=True)
    for order in (state.stop, lambda: state.start(0.0), lambda: state.restart(0.0)):
        order()
        assert state.desired is Desired.DISABLED
        assert state.decide(1e6) is None
    assert state.as_wanted


def test_spawn_failure_backs_off() -> None:
    state = make()
    state.spawn_failed("no memory", 0.0)
    assert (state.state(0.0), state.error) == ("backoff", "no memory")


def test_leaving_job_stops_and_retires() -> None:
    state = make()
    up(state, 0.0)
    state.leaving = True
    assert state.decide(1.0) is Action.STOP
    state.stopping(1.0)
    state.exited(0, "", 2.0, 2.0)
    assert state.decide(2.0) is Action.RETIRE


def test_status_text_is_made_printable() -> None:
    state = make()
    up(state, 0.0)
    state.message({"STATUS": "a\tb\x1b[31m" + "x" * 1000}, 0.0)
    assert state.status_text.startswith("a b [31m")
    assert len(state.status_text) == 500


class Manager(RuleBasedStateMachine):
    """Any order of requests and events: the machine never contradicts itself."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state = make(watchdog_sec=3.0)

    @rule(seconds=st.floats(0.01, 200))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def decide(self) -> None:
        action = self.state.decide(self.now)
        if action is Action.SPAWN:
            assert self.state.phase is Phase.DOWN
            assert self.state.desired is Desired.RUN
            self.state.spawned(7, self.now, self.now)
        elif action is Action.STOP:
            assert self.state.phase is Phase.UP
            assert self.now - self.state.started >= MIN_LIFE
            self.state.stopping(self.now)
        elif action is not None:
            assert self.state.phase is Phase.UP

    @rule(status=st.sampled_from([0, 1, 2, 3, 78, -9, -15]))
    def exit(self, status: int) -> None:
        if self.state.phase is not Phase.DOWN:
            self.state.exited(status, "", self.now, self.now)

    @rule(order=st.sampled_from(["start", "stop", "restart", "reload"]))
    def order(self, order: str) -> None:
        if order in ("start", "restart"):
            getattr(self.state, order)(self.now)
        else:
            getattr(self.state, order)()

    @rule(key=st.sampled_from(["READY", "WATCHDOG", "RELOADING"]))
    def message(self, key: str) -> None:
        if self.state.phase is not Phase.DOWN:
            self.state.message({key: "1"}, self.now)

    @invariant()
    def a_wanted_job_is_never_forgotten(self) -> None:
        state = self.state
        if state.desired is Desired.RUN and state.phase is Phase.DOWN:
            assert state.verdict is not None or state.next_start is not None

    @invariant()
    def a_job_that_is_down_has_no_process_facts(self) -> None:
        if self.state.phase is Phase.DOWN:
            assert not self.state.ready
            assert self.state.pid == 0

    @invariant()
    def a_job_stopped_by_hand_never_starts(self) -> None:
        if self.state.desired is Desired.STOPPED and self.state.phase is Phase.DOWN:
            assert self.state.decide(self.now + 1e9) is None


TestManager = Manager.TestCase
TestManager.settings = settings(max_examples=100, deadline=None)
