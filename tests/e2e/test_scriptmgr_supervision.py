# SPDX-License-Identifier: ISC
"""What the manager does when jobs end, hang, or take their time."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from skytools.core.processes import is_running as running
from tests.fixtures.process import RunProgram, Spawn
from tests.fixtures.site import Site
from tests.fixtures.wait import wait_until

# Notes each start in a file; ends at once with what the file "end" says, else works.
RECORD = """
with open(__file__ + ".starts", "a") as file:
    file.write(f"{time.time()}\\n")
if os.path.exists(__file__ + ".end"):
    print("giving up on", open(__file__ + ".end").read(), flush=True)
    os._exit(int(open(__file__ + ".end").read()))
notify("READY=1")
while True:
    signal.pause()
"""


def starts(site: Site, name: str) -> list[float]:
    path = site.root / f"{name}.py.starts"
    return [float(line) for line in path.read_text().split()] if path.exists() else []


def end_with(site: Site, name: str, code: int) -> None:
    (site.root / f"{name}.py.end").write_text(str(code))


def test_killed_job_comes_back(site: Site) -> None:
    site.job("alpha")
    site.start()
    site.wait_ready("alpha")
    pid = site.row("alpha")["pid"]
    os.kill(pid, signal.SIGKILL)
    row = site.wait_for("alpha", lambda row: bool(row["ready"]) and row["pid"] != pid)
    assert (row["last_exit"], row["restarts"]) == (-9, 1)


def test_failing_job_backs_off_exponentially(site: Site) -> None:
    """A crash loop had no brake at all once past startsecs, in stock supervisord."""
    site.manager_ini(backoff_first=0.1)
    site.job("alpha", RECORD)
    end_with(site, "alpha", 1)
    site.start()
    wait_until(lambda: len(starts(site, "alpha")) >= 5, what="five starts")
    row = site.wait_for("alpha", lambda row: row["state"] == "backoff")
    assert row["error"].startswith("exit 1: giving up on 1")
    assert row["next_start_time"] > 0
    gaps = [late - early for early, late in pairwise(starts(site, "alpha")[:5])]
    # 0.1 s doubling, +-20 %, plus the time that a start takes: never less.
    for number, gap in enumerate(gaps):
        assert gap >= 0.1 * 2**number * 0.8
    (site.root / "alpha.py.end").unlink()
    assert site.cmd("start", "-w", "alpha").code == 0  # an operator does not wait


@pytest.mark.parametrize(
    ("code", "state"), [(0, "exited"), (2, "fatal"), (3, "fatal"), (78, "fatal")]
)
def test_exit_codes_that_are_not_retried(site: Site, code: int, state: str) -> None:
    site.job("alpha", RECORD)
    site.job("beta")
    end_with(site, "alpha", code)
    site.start()
    row = site.wait_for("alpha", lambda row: row["state"] == state)
    assert row["last_exit"] == code
    assert row["next_start_time"] is None
    assert f"exit {code}" in row["error"]
    site.wait_ready("beta")
    assert len(starts(site, "alpha")) == 1
    assert site.cmd("status").code == 1


def test_config_fault_is_tried_again_by_update(site: Site) -> None:
    site.job("alpha", RECORD)
    end_with(site, "alpha", 2)
    site.start()
    site.wait_for("alpha", lambda row: row["state"] == "fatal")
    (site.root / "alpha.py.end").unlink()
    result = site.cmd("update", "-w")
    assert (result.code, result.lines[0]) == (0, "alpha: tried again")
    assert site.row("alpha")["ready"]


def test_early_exit_status_is_not_lost(site: Site) -> None:
    """supervisord reports 0 for a process that ends within startsecs."""
    site.job("alpha", RECORD)
    end_with(site, "alpha", 7)
    site.start()
    assert site.wait_for("alpha", lambda row: row["last_exit"] is not None)["last_exit"] == 7


def test_max_restarts_gives_up(site: Site) -> None:
    site.job("alpha", RECORD, max_restarts=2)
    end_with(site, "alpha", 1)
    site.start()
    row = site.wait_for("alpha", lambda row: row["state"] == "fatal")
    assert "given up after 2 restarts" in row["error"]
    assert len(starts(site, "alpha")) == 3


def test_hung_job_is_aborted_and_restarted(site: Site) -> None:
    body = """
        notify("READY=1\\nWATCHDOG=1")
        if os.path.exists(__file__ + ".hung"):
            while True:
                notify(f"WATCHDOG=1\\nSTATUS={os.environ['WATCHDOG_USEC']}")
                time.sleep(0.05)
        open(__file__ + ".hung", "w").close()
        time.sleep(1000)
        """
    site.job("alpha", body, watchdog_sec=2)
    site.start()
    row = site.wait_for("alpha", lambda row: row["restarts"] == 1 and bool(row["ready"]))
    assert row["last_exit"] == -signal.SIGABRT
    site.wait_for("alpha", lambda row: row["status_text"] == "2000000")
    # Pings keep it: still the same process after more than one watchdog period.
    site.wait_for("alpha", lambda row: row["uptime_seconds"] > 3)
    assert site.row("alpha")["restarts"] == 1


def test_stop_kills_what_ignores_term_with_its_whole_group(site: Site) -> None:
    body = """
        import subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        helper = subprocess.Popen(["sleep", "1000"])
        notify(f"READY=1\\nSTATUS={helper.pid}")
        while True:
            time.sleep(10)
        """
    site.job("alpha", body, stop_timeout=1)
    site.start()
    site.wait_ready("alpha")
    helper = int(site.wait_for("alpha", lambda row: bool(row["status_text"]))["status_text"])
    assert site.cmd("stop", "alpha").code == 0
    assert site.row("alpha")["last_exit"] == -signal.SIGKILL
    wait_until(lambda: not running(helper), what="the helper ends")


def test_stopping_job_may_ask_for_more_time(site: Site) -> None:
    body = """
        def slow(*_):
            notify("STOPPING=1\\nEXTEND_TIMEOUT_USEC=60000000")
            time.sleep(4)
            print("done in peace", flush=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, slow)
        notify("READY=1")
        while True:
            signal.pause()
        """
    site.job("alpha", body, stop_timeout=3)
    site.start()
    site.wait_ready("alpha")
    assert site.cmd("stop", "alpha").code == 0
    assert "done in peace" in site.output("alpha")
    assert site.row("alpha")["last_exit"] == 0


def test_jobs_stop_side_by_side_in_waves(site: Site) -> None:
    """Stock supervisord stops one group after the other: here the first would wait for ever."""
    body = """
        import glob

        def slow(*_):
            open(__file__ + ".term", "w").close()
            while len(glob.glob(os.path.dirname(__file__) + "/job?.py.term")) < 6:
                time.sleep(0.01)
            open(__file__ + ".gone", "w").write(str(time.time()))
            os._exit(0)
        signal.signal(signal.SIGTERM, slow)
        notify("READY=1")
        while True:
            signal.pause()
        """
    names = [f"job{number}" for number in range(6)]
    for name in names:
        site.job(name, body)
    late = """
        def last(*_):
            open(__file__ + ".term", "w").write(str(time.time()))
            os._exit(0)
        signal.signal(signal.SIGTERM, last)
        notify("READY=1")
        while True:
            signal.pause()
        """
    site.job("late", late, priority=100)
    manager = site.start()
    site.wait_ready(*names, "late")
    wait_until(lambda: all(r["uptime_seconds"] > 0.6 for r in site.rows().values()))
    manager.signal(signal.SIGTERM)
    assert manager.wait() == 0
    gone = [float((site.root / f"{name}.py.gone").read_text()) for name in names]
    assert float((site.root / "late.py.term").read_text()) > max(gone)


def test_status_and_readiness_of_helpers_count_for_their_job(site: Site) -> None:
    body = """
        import subprocess
        if "child" in sys.argv:
            notify("READY=1\\nSTATUS=from a helper")
            sys.stdin.read()  # of one that has ended nobody knows whose it was
            sys.exit()
        helper = subprocess.Popen([sys.executable, __file__, "child"], stdin=subprocess.PIPE)
        while True:
            signal.pause()
        """
    site.job("alpha", body)
    site.start()
    row = site.wait_for("alpha", lambda row: bool(row["ready"]))
    assert row["status_text"] == "from a helper"


def test_job_without_notify_is_ready_by_running(site: Site) -> None:
    site.job("alpha", "while True: signal.pause()", notify=0)
    site.job("beta", "while True: signal.pause()")
    site.start()
    site.wait_ready("alpha")
    row = site.wait_for("beta", lambda row: row["state"] == "running")
    assert not row["ready"]  # up for five seconds, but it has not said so
    assert site.cmd("status", "alpha").code == 0
    assert site.cmd("status", "beta").code == 1


def test_missing_folder_is_said(site: Site) -> None:
    site.job("alpha", cwd="/nowhere/at/all")
    site.job("beta")
    site.start()
    row = site.wait_for("alpha", lambda row: row["state"] == "backoff")
    assert "cwd /nowhere/at/all: No such file or directory" in row["error"]
    site.wait_ready("beta")


@pytest.fixture
def open_site(spawn: Spawn, run_program: RunProgram) -> Iterator[Site]:
    """Give a site in a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Site(Path(folder), spawn, run_program)


@pytest.mark.root
def test_manager_of_root_runs_jobs_of_other_users(open_site: Site) -> None:
    """The job's user can reach its own metrics folder, and nothing of root's."""
    site = open_site
    script = site.root / "tool.sh"
    script.write_text(
        "#!/bin/sh\n"
        'echo "$(id -un) $HOME $USER"\n'
        'touch "$(dirname "$SKYTOOLS_METRICS_SOCKET")/mine" && echo reachable\n'
        'cat "$SKYTOOLS_RUN_DIR/jobs.json" 2>/dev/null || echo closed\n'
        "exec sleep 1000\n"
    )
    script.chmod(0o755)
    site.job("alpha", None, script=script, user="nobody", notify=0)
    manager = site.start()
    site.wait_ready("alpha")
    wait_until(lambda: "closed" in site.output("alpha"), what=lambda: site.output("alpha"))
    assert site.output("alpha").splitlines()[0].split()[::2] == ["nobody", "nobody"]
    assert "reachable" in site.output("alpha")
    pid = site.row("alpha")["pid"]
    manager.kill()
    wait_until(lambda: not running(pid), what="the job ends with its manager")
