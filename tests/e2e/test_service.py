# SPDX-License-Identifier: ISC
"""The service loop and the switches every daemon has, on a real process."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

BEAT = """
from pathlib import Path

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.errors import FatalStateError, TransientError
from skytools.core.program import main
from skytools.core.service import Daemon, Pause


@settings
class BeatConfig(DaemonConfig):
    text: str = option("beat", "What to log.")
    fault: str = option("", "Raise this.")
    period: float = option(60.0, "How often to beat.", unit="s", min=0.01)
    hold: Path | None = option(None, "Stay in the step while this file exists.")


class Beat(Daemon[BeatConfig]):
    Config = BeatConfig
    service_name = "beat"

    def step(self):
        if self.cfg.fault == "transient":
            raise TransientError("db: no route")
        if self.cfg.fault == "fatal":
            raise FatalStateError("positions disagree")
        if self.cfg.fault == "bug":
            raise ValueError("our bug")
        self.ctx.log.info("%s", self.cfg.text)
        while self.cfg.hold and self.cfg.hold.exists():
            import time; time.sleep(0.01)
        self.ctx.log.info("step done")
        return Pause(self.cfg.period)


main(Beat)
"""


@pytest.fixture
def beat(tmp_path) -> Path:
    path = tmp_path / "beat.py"
    path.write_text(BEAT, encoding="utf-8")
    return path


@pytest.fixture
def ini(tmp_path):
    def write(body: str = "") -> Path:
        path = tmp_path / "b.ini"
        path.write_text(f"[beat]\n{body}", encoding="utf-8")
        return path

    return write


def test_term_during_a_wait_ends_with_0(spawn, beat, ini):
    program = spawn(sys.executable, beat, ini())
    program.wait_output("step done")
    program.signal(signal.SIGTERM)
    assert program.wait() == 0
    assert "stopped" in program.output


def test_term_during_a_step_finishes_the_step(spawn, beat, ini, tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    program = spawn(sys.executable, beat, ini(f"hold = {hold}\n"))
    program.wait_output("INFO beat")
    program.signal(signal.SIGTERM)
    hold.unlink()
    assert program.wait() == 0
    assert "step done" in program.output


def test_second_term_within_a_second_ends_at_once(spawn, beat, ini, tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    program = spawn(sys.executable, beat, ini(f"hold = {hold}\n"))
    program.wait_output("INFO beat")
    program.signal(signal.SIGTERM)
    program.signal(signal.SIGINT)
    assert program.wait() == 1
    assert "step done" not in program.output


def test_reload_takes_the_new_config(spawn, beat, ini):
    program = spawn(sys.executable, beat, ini("text = one\n"))
    program.wait_output("INFO one")
    ini("text = two\n")
    program.signal(signal.SIGHUP)
    program.wait_output("INFO two")


def test_bad_config_on_reload_keeps_the_old_one(spawn, beat, ini):
    program = spawn(sys.executable, beat, ini("text = one\nperiod = 0.05\n"))
    program.wait_output("INFO one")
    ini("text = two\nnonsense = 1\n")
    program.signal(signal.SIGHUP)
    program.wait_output("reload refused, the old configuration stays")
    ini("text = three\n")
    program.signal(signal.SIGHUP)
    output = program.wait_output("INFO three")
    assert "INFO two" not in output
    assert "unknown key" in output


def test_transient_error_is_one_line_and_retried(spawn, beat, ini):
    program = spawn(sys.executable, beat, ini("fault = transient\n"))
    program.wait_output("ERROR db: no route; next try in")
    ini("text = fine\n")
    program.signal(signal.SIGHUP)
    output = program.wait_output("working again")
    assert "Traceback" not in output


def test_bug_shows_a_traceback_and_is_retried(spawn, beat, ini):
    program = spawn(sys.executable, beat, ini("fault = bug\n"))
    program.wait_output("ValueError: our bug")
    ini("text = fine\n")
    program.signal(signal.SIGHUP)
    program.wait_output("working again")


def test_disagreeing_positions_end_with_3(spawn, beat, ini):
    program = spawn(sys.executable, beat, ini("fault = fatal\n"))
    assert program.wait() == 3
    assert "positions disagree" in program.output
    assert "Traceback" not in program.output


def test_manager_is_told_ready_status_watchdog_and_stopping(spawn, beat, ini, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.settimeout(120)
        env = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "300000"}
        program = spawn(sys.executable, beat, ini(), env=env)
        assert sock.recv(100) == b"READY=1"
        # The step is over and the wait is a minute: pings prove that waiting is not hanging.
        assert [sock.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        program.signal(signal.SIGHUP)
        while not (message := sock.recv(100)).startswith(b"RELOADING=1"):
            assert message == b"WATCHDOG=1"
        assert sock.recv(100) == b"READY=1"
        program.signal(signal.SIGTERM)
        while (message := sock.recv(100)) != b"STOPPING=1":
            assert message == b"WATCHDOG=1"
        assert program.wait() == 0


def test_not_ready_while_the_first_step_fails(spawn, beat, ini, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.settimeout(120)
        env = {"NOTIFY_SOCKET": str(tmp_path / "n")}
        spawn(sys.executable, beat, ini("fault = transient\n"), env=env)
        assert sock.recv(100) == b"STATUS=db: no route"


def test_background_stop_and_reload_by_pidfile(run_program, beat, ini, tmp_path, wait_until):
    path = ini(f"pidfile = {tmp_path}/b.pid\nlogfile = {tmp_path}/b.log\n")
    log = tmp_path / "b.log"
    assert run_program(sys.executable, beat, "-d", path).code == 0
    wait_until(lambda: log.exists() and "step done" in log.read_text(), what="the first step")
    second = run_program(sys.executable, beat, "-d", path)
    assert second.code == 1
    assert second.err.startswith("beat: already running as pid ")
    assert run_program(sys.executable, beat, "-r", path).out == "SIGHUP sent\n"
    wait_until(lambda: "configuration reloaded" in log.read_text(), what="the reload")
    assert run_program(sys.executable, beat, "-s", path).out == "SIGINT sent\n"
    wait_until(lambda: not (tmp_path / "b.pid").exists(), what="the pidfile to go")
    assert run_program(sys.executable, beat, "-s", path).code == 1


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "which ini? Give its path, or --ini for a template"),
        (["none.ini"], "none.ini: cannot be read: No such file or directory"),
        (["b.ini", "--set", "period"], "--set period: KEY=VALUE expected"),
        (["b.ini", "--set", "period=x"], "--set: [beat] period: 'x' is not a number"),
        (["b.ini", "-s"], "--stop needs the key pidfile in the ini"),
        (["b.ini", "-d"], "-d needs the key pidfile in the ini"),
        (
            ["b.ini", "--set", "logfile=/none/x.log"],
            "logfile /none/x.log: No such file or directory",
        ),
        (["b.ini", "--set", "metrics_socket=/none/x"], "metrics socket /none/x: "),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(run_program, beat, ini, tmp_path, argv, expected):
    ini()
    result = run_program(sys.executable, beat, *argv, cwd=tmp_path)
    assert result.code == 2
    lines = [line for line in result.err.splitlines() if "INFO" not in line]
    assert len(lines) == 1
    assert expected in lines[0]


def test_check_prints_every_fault(run_program, beat, ini):
    good = run_program(sys.executable, beat, "--check", ini("use_skylog = 1\n"))
    assert good.code == 0
    assert good.lines[0].startswith("warning: ")
    bad = run_program(sys.executable, beat, "--check", ini("period = x\nfoo = 1\n"))
    assert bad.code == 2
    assert len(bad.err.splitlines()) == 2
