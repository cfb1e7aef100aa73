# SPDX-License-Identifier: ISC
"""The commands of scriptmgr on a running manager: what they do, print and return."""

from __future__ import annotations

import json
import signal

import pytest

from tests.fixtures.process import RunProgram
from tests.fixtures.site import Site
from tests.fixtures.wait import wait_until

SLOW_START = """
while not os.path.exists(__file__ + ".go"):
    time.sleep(0.02)
notify("READY=1")
while True:
    signal.pause()
"""

COUNT_HUPS = """
hups = 0
def hup(*_):
    global hups
    hups += 1
    notify(f"STATUS=hups {hups}")
time.sleep(0.7)  # a HUP now would kill: no handler yet
signal.signal(signal.SIGHUP, hup)
notify("READY=1")
while True:
    signal.pause()
"""


def test_status_shows_a_table_and_json(site: Site) -> None:
    site.job("alpha")
    site.job("beta", disabled=1)
    site.start()
    site.wait_ready("alpha")
    result = site.cmd("status")
    assert result.code == 0
    head, first, second = result.lines
    assert head.split() == [
        "JOB",
        "SERVICE",
        "STATE",
        "READY",
        "PID",
        "UPTIME",
        "RESTARTS",
        "STATUS",
    ]
    assert first.split()[:4] == ["alpha", "mine", "running", "yes"]
    assert first.endswith("works")
    assert second.split()[:3] == ["beta", "mine", "disabled"]
    assert "\033" not in result.out
    rows = json.loads(site.cmd("status", "--json").out)
    assert [row["job_name"] for row in rows] == ["alpha", "beta"]
    wanted = {
        "job_name", "service", "state", "desired", "ready", "pid", "uptime_seconds", "restarts",
        "last_exit", "status_text", "config", "error",
    }  # fmt: skip
    assert wanted <= set(rows[0])
    assert rows[0]["config"] == str(site.jobs / "alpha.ini")


def test_stop_and_start(site: Site) -> None:
    site.job("alpha")
    site.job("beta")
    site.start()
    site.wait_ready("alpha", "beta")
    result = site.cmd("stop", "alpha")
    assert (result.code, result.out) == (0, "alpha: stopped\n")
    row = site.row("alpha")
    assert (row["state"], row["desired"], row["pid"]) == ("stopped", "stopped", None)
    assert site.cmd("status").code == 0  # stopped by the operator is as wanted
    result = site.cmd("start", "-w", "alpha")
    assert (result.code, result.out) == (0, "alpha: running\n")
    assert site.row("alpha")["ready"]
    assert site.row("beta")["restarts"] == 0


def test_start_with_wait_waits_for_ready(site: Site) -> None:
    site.job("slow", SLOW_START)
    site.start()
    site.cmd("stop", "slow")
    assert site.cmd("start", "slow").code == 0
    assert site.cmd("status", "slow").code == 1  # starting is not yet as wanted
    go = site.root / "slow.py.go"
    go.touch()
    assert site.cmd("status", "--wait", "slow").code == 0
    go.unlink()
    late = site.cmd("restart", "-w", "--timeout", "0.1", "slow")
    assert late.code == 1
    assert "still not done after 0.1 s (--timeout): slow" in late.err


def test_restart_never_leaves_a_job_down(site: Site) -> None:
    """3.x slept two seconds, then found the old pid alive, and reported success."""
    site.job("alpha", "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.7), sys.exit(0)))\n"
                      'notify("READY=1")\nwhile True: signal.pause()')  # fmt: skip
    site.start()
    site.wait_ready("alpha")
    before = site.row("alpha")["pid"]
    assert site.cmd("restart", "alpha").code == 0
    row = site.wait_for("alpha", lambda row: bool(row["ready"]) and row["pid"] != before)
    assert row["state"] == "running"


def test_rolling_restart_stops_at_the_first_job_that_fails(site: Site) -> None:
    fails_later = 'if os.path.exists(__file__ + ".bad"): sys.exit(2)\n' + (
        'notify("READY=1")\nwhile True: signal.pause()'
    )
    for name in ("a", "b", "c"):
        site.job(name, fails_later)
    site.start()
    site.wait_ready("a", "b", "c")
    (site.root / "b.py.bad").touch()
    result = site.cmd("restart", "--rolling", "-a")
    assert result.code == 1
    assert "b is not ready: the jobs after it were left alone" in result.err
    rows = site.rows()
    assert (rows["a"]["restarts"], rows["b"]["state"], rows["c"]["restarts"]) == (1, "fatal", 0)


def test_reload_waits_for_ready_before_hup(site: Site) -> None:
    site.job("alpha", COUNT_HUPS)
    site.start(wait=True)
    assert site.cmd("reload", "alpha").code == 0
    row = site.wait_for("alpha", lambda row: row["status_text"] == "hups 1")
    assert row["restarts"] == 0


def test_selection_by_service_glob_and_all(site: Site) -> None:
    for name in ("north_1", "north_2", "south"):
        site.job(name)
    site.manager_ini("[other]\nscript = other.py\n")
    site.script("other")
    (site.jobs / "odd.ini").write_text("[other]\n")
    site.start()
    site.wait_ready("north_1", "north_2", "south", "odd")
    assert site.cmd("stop", "north_*").code == 0
    states = {name: row["state"] for name, row in site.rows().items()}
    assert states == {
        "north_1": "stopped", "north_2": "stopped", "south": "running", "odd": "running",
    }  # fmt: skip
    assert site.cmd("stop", "-t", "other").lines == ["odd: stopped"]
    assert site.cmd("start", "-a", "-w").code == 0
    assert all(row["ready"] for row in site.rows().values())


def test_old_command_lines_work(site: Site, run_program: RunProgram) -> None:
    """The ini came first or after the switches, in any order with them."""
    site.job("alpha")
    site.start()
    site.wait_ready("alpha")
    assert site.cmd("stop", "-w", "-a").code == 0
    assert run_program("scriptmgr", "-v", site.ini, "start", "-a").code == 0
    assert run_program("scriptmgr", "-a", "-w", site.ini, "restart").code == 0
    assert run_program("scriptmgr", site.ini, "-t", "mine", "status").code == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["status", "nope"], 4, "unknown job nope; jobs: alpha"),
        (["stop"], 2, "no jobs given"),
        (["frobnicate"], 2, "unknown command frobnicate"),
        ([], 2, "no command given"),
        (["status", "--rolling"], 2, "--rolling means nothing to status"),
        (["run", "-d"], 2, "foreground"),
        (["start", "--timeout", "soon", "alpha"], 2, "no number of seconds"),
    ],
)
def test_mistakes_are_one_clear_line(site: Site, words: list[str], code: int, text: str) -> None:
    site.job("alpha")
    if code == 4:
        site.start()
    result = site.cmd(*words)
    assert result.code == code
    assert text in result.err
    assert "Traceback" not in result.err


def test_manager_down(site: Site) -> None:
    site.job("alpha")
    result = site.cmd("status")
    assert result.code == 3
    assert result.lines[1].split()[:3] == ["alpha", "mine", "down"]
    assert "the manager is not running" in result.err
    assert site.cmd("start", "-a").code == 3


def test_no_permission(site: Site) -> None:
    site.start()
    site.obey_modes()
    (site.runtime / "control.sock").chmod(0)
    result = site.cmd("status")
    assert result.code == 5
    assert "no permission for" in result.err


def test_disabled_jobs_are_skipped(site: Site) -> None:
    site.job("alpha", disabled=1)
    site.start()
    result = site.cmd("start", "-a")
    assert (result.code, result.out) == (0, "alpha: skipped, disabled = 1 in its ini\n")
    assert site.row("alpha")["state"] == "disabled"


def test_info_and_tail(site: Site) -> None:
    site.job("alpha", 'print("first", flush=True)\nprint("last", flush=True)\n'
                      'notify("READY=1")\nwhile True: signal.pause()')  # fmt: skip
    site.start()
    site.wait_ready("alpha")
    wait_until(lambda: "last\n" in site.output("alpha"), what="the job's output")
    facts = site.cmd("info", "alpha").out
    assert f"config               {site.jobs / 'alpha.ini'}" in facts
    assert str(site.logs / "alpha.out") in facts
    assert site.cmd("tail", "-n", "1", "alpha").out == "last\n"
    assert site.cmd("tail", "alpha").out == "first\nlast\n"


def test_tail_follows_through_rotation(site: Site, spawn: object) -> None:
    log = site.root / "alpha.log"
    log.write_text("one\n")
    site.job("alpha", logfile=log)
    tail = spawn("scriptmgr", site.ini, "tail", "-f", "alpha")  # type: ignore[operator]
    tail.wait_output("one\n")
    with log.open("a") as file:
        file.write("two\n")
    tail.wait_output("two\n")
    log.rename(site.root / "alpha.log.1")
    log.write_text("three\n")
    tail.wait_output("three\n")
    tail.signal(signal.SIGINT)
    assert tail.wait() == 130


def test_job_alone_without_a_manager(site: Site, spawn: object) -> None:
    """What a unit of its own for each job runs."""
    body = 'print("mine", sys.argv[1:], flush=True)\nwhile True: signal.pause()'
    site.job("alpha", body, args="--fast 'two words'")
    program = spawn("scriptmgr", site.ini, "run-job", "alpha")  # type: ignore[operator]
    program.wait_output("mine")
    wanted = f"mine ['{site.jobs / 'alpha.ini'}', '--fast', 'two words']"
    assert wanted in program.output
    program.signal(signal.SIGTERM)
    assert program.wait() == 0


def test_old_switches_act_on_the_manager(site: Site) -> None:
    site.job("alpha")
    manager = site.start()
    assert site.cmd("-r").code == 0
    manager.wait_output("SIGHUP: update --reload")
    assert site.cmd("-s").code == 0
    assert manager.wait() == 0
    wait_until(lambda: site.cmd("-s").code != 0, what="the pidfile is gone")
