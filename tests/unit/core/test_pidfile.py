# SPDX-License-Identifier: ISC
"""Pidfiles: the lock tells, not the number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from skytools.core.errors import SkytoolsError
from skytools.core.pidfile import PidFile, send_signal


def test_second_owner_is_refused_with_the_pid(tmp_path):
    path = tmp_path / "x.pid"
    first = PidFile(path)
    first.acquire()
    with pytest.raises(SkytoolsError, match=f"already running as pid {os.getpid()}"):
        PidFile(path).acquire()
    first.release()
    assert not path.exists()


def test_stale_file_with_a_living_number_is_no_target(tmp_path):
    path = tmp_path / "x.pid"
    path.write_text(f"{os.getpid()}\n", encoding="ascii")
    assert send_signal(path, signal.SIGTERM) is False


def test_stale_file_is_taken_over(tmp_path):
    path = tmp_path / "x.pid"
    path.write_text("99999999\n", encoding="ascii")
    pidfile = PidFile(path)
    pidfile.acquire()
    assert path.read_text(encoding="ascii") == f"{os.getpid()}\n"
    pidfile.release()


def test_owner_gets_the_signal(tmp_path):
    path = tmp_path / "x.pid"
    code = (
        "import sys, time; from pathlib import Path; from skytools.core.pidfile import PidFile;"
        "PidFile(Path(sys.argv[1])).acquire() or print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        assert send_signal(path, signal.SIGTERM) is True
        assert child.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("text", ["", "abc\n"])
def test_rubbish_is_told(tmp_path, text):
    path = tmp_path / "x.pid"
    path.write_text(text, encoding="ascii")
    with pytest.raises(SkytoolsError, match="holds no process number"):
        send_signal(path, signal.SIGTERM)
    with pytest.raises(SkytoolsError, match="not running"):
        send_signal(tmp_path / "none", signal.SIGTERM)
