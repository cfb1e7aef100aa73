# SPDX-License-Identifier: ISC
from __future__ import annotations

from typing import Any

from skytools.scriptmgr.desired import JobState
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.shutdown import Shutdown
from skytools.scriptmgr.summary import one_line
from skytools.scriptmgr.update import make_plan


def job(name: str, **keys: Any) -> Job:
    return Job(name=name, config=f"/{name}.ini", **keys)


def running(one: Job) -> JobState:
    state = JobState(one)
    state.start(0.0)
    state.spawned(1, 0.0, 0.0)
    state.message({"READY": "1"}, 0.0)
    return state


def states(*jobs: Job) -> dict[str, JobState]:
    return {one.name: running(one) for one in jobs}


def test_plan_of_everything() -> None:
    old = states(job("same"), job("changed"), job("gone"), job("faulty"))
    new = [
        job("same"), job("changed", digest="x"), job("fresh"), job("faulty", error="bad"),
        job("worse", error="bad"),
    ]  # fmt: skip
    plan = make_plan(old, new, reload=False)
    assert (plan.added, plan.removed, plan.restarted) == (["fresh"], ["gone"], ["changed"])
    assert (plan.kept, plan.unchanged) == (["faulty"], 1)
    assert [name for name, _ in plan.rejected] == ["faulty", "worse"]


def test_reload_is_for_same_commands_only() -> None:
    old = states(job("soft"), job("hard"))
    new = [job("soft", digest="x"), job("hard", digest="x", argv=("y",))]
    plan = make_plan(old, new, reload=True)
    assert (plan.reloaded, plan.restarted) == (["soft"], ["hard"])


def test_faulty_job_that_is_down_is_not_kept() -> None:
    old = states(job("a"))
    old["a"].exited(1, "", 1.0, 1.0)
    plan = make_plan(old, [job("a", error="bad")], reload=False)
    assert (plan.kept, plan.removed) == ([], ["a"])


def test_job_that_ended_for_its_config_is_retried() -> None:
    old = states(job("a"), job("b"))
    old["a"].exited(78, "", 1.0, 1.0)
    old["b"].exited(3, "", 1.0, 1.0)
    plan = make_plan(old, [job("a"), job("b")], reload=False)
    assert (plan.retried, plan.unchanged) == (["a"], 1)


def test_summary_for_systemd() -> None:
    every = states(*(job(f"j{n}") for n in range(8)), job("skytools-exporter"))
    assert one_line(every.values(), 0) == "8/8 jobs ready"
    every["j3"].ready = False
    every["j3"].status_text = "connecting to dst"
    assert one_line(every.values(), 2) == (
        "7/8 jobs ready; not ready: j3 (connecting to dst); 2 rejected"
    )
    for state in every.values():
        state.ready = False
    assert one_line(every.values(), 0).endswith("j3 (connecting to dst), j4 and 3 more")


def test_shutdown_goes_by_waves() -> None:
    every = states(
        job("c1", priority=500, stop_timeout=60), job("c2", priority=500, stop_timeout=90),
        job("tick", priority=100, stop_timeout=10),
    )  # fmt: skip
    end = Shutdown(every)
    assert end.longest() == 100
    assert end.wave(0.1) == []  # not within the first half second of a process
    assert end.wave(1.0) == ["c1", "c2"]
    every["c1"].stopping(1.0)
    assert end.wave(1.0) == ["c2"]
    every["c1"].exited(0, "", 2.0, 2.0)
    every["c2"].stopping(1.0)
    assert end.wave(2.0) == []  # the ticker waits for c2
    every["c2"].exited(0, "", 3.0, 3.0)
    assert end.wave(3.0) == ["tick"]
