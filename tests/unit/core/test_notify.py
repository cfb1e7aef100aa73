# SPDX-License-Identifier: ISC
"""sd_notify as a real socket sees it."""

from __future__ import annotations

import os
import socket

import pytest

from skytools.core.notify import Notifier


@pytest.fixture
def listener(tmp_path, monkeypatch):
    path = tmp_path / "n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield sock


def test_variables_are_taken_out_of_the_environment(listener, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    notifier = Notifier()
    assert notifier.watchdog_interval == 1.0
    assert "NOTIFY_SOCKET" not in os.environ
    assert "WATCHDOG_USEC" not in os.environ
    notifier.close()


def test_watchdog_of_another_process_is_not_ours(listener, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    notifier = Notifier()
    assert notifier.watchdog_interval is None
    notifier.close()


def test_status_is_ascii_one_line_and_sent_on_change_only(listener):
    notifier = Notifier()
    notifier.status("läuft\nweiter")
    notifier.status("läuft\nweiter")
    notifier.ready()
    assert listener.recv(1000) == b"STATUS=l?uft weiter"
    assert listener.recv(1000) == b"READY=1"
    notifier.close()


def test_reloading_carries_the_time(listener):
    notifier = Notifier()
    notifier.reloading()
    lines = listener.recv(1000).decode().splitlines()
    assert lines[0] == "RELOADING=1"
    assert lines[1].startswith("MONOTONIC_USEC=")
    notifier.close()


def test_dead_socket_warns_once_and_never_raises(listener, caplog):
    notifier = Notifier()
    listener.close()
    notifier.ready()
    notifier.stopping()
    assert caplog.text.count("sd_notify failed") == 1
    notifier.close()


def test_silent_without_a_manager(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready()
