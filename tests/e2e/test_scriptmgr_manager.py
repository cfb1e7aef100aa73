# SPDX-License-Identifier: ISC
"""The manager as a process: killed, doubled, told by systemd, misconfigured."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skytools.core.processes import is_running as running
from tests.fixtures.process import Spawn
from tests.fixtures.site import Site
from tests.fixtures.wait import wait_until


class FakeSystemd:
    """The other end of NOTIFY_SOCKET: keeps every message with its sender."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        self._seen: list[tuple[int, str]] = []

    def messages(self) -> list[tuple[int, str]]:
        """(pid, text) of everything so far."""
        while True:
            try:
                data, extra, _, _ = self._socket.recvmsg(8192, 256)
            except BlockingIOError:
                return self._seen
            self._seen.append((int.from_bytes(extra[0][2][:4], "little"), data.decode()))

    def texts(self) -> list[str]:
        return [text for _, text in self.messages()]

    def status(self) -> str:
        """Return the last STATUS."""
        told = [text for text in self.texts() if text.startswith("STATUS=")]
        return told[-1].removeprefix("STATUS=") if told else ""

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[FakeSystemd]:
    fake = FakeSystemd(tmp_path / "systemd.sock")
    yield fake
    fake.close()


def test_manager_speaks_to_systemd_and_jobs_do_not(site: Site, systemd: FakeSystemd) -> None:
    """A child that inherits NOTIFY_SOCKET can end the whole unit."""
    body = """
        print(sorted(k for k in os.environ if k.startswith(("WATCHDOG", "LISTEN", "FDSTORE"))),
              os.environ["NOTIFY_SOCKET"], flush=True)
        notify("READY=1\\nSTATUS=secret of the job\\nMAINPID=1\\nFDSTORE=1")
        while True:
            signal.pause()
        """
    site.job("alpha", body)
    site.job("beta", "while True: signal.pause()")
    env = {
        "NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "600000", "LISTEN_FDS": "1",
        "FDSTORE": "3",
    }  # fmt: skip
    manager = site.start(env=env)
    site.wait_ready("alpha")
    wait_until(lambda: systemd.texts().count("WATCHDOG=1") >= 5, what="five pings")
    wait_until(
        lambda: "STATUS=1/2 jobs ready; not ready: beta" in systemd.texts(), what="the status"
    )
    wait_until(lambda: "\n" in site.output("alpha"), what="what alpha has printed")
    assert site.output("alpha").splitlines()[0] == f"[] {site.runtime / 'notify.sock'}"
    site.cmd("stop", "beta")
    wait_until(lambda: systemd.status() == "1/1 jobs ready", what="the new status")
    assert systemd.texts().count("READY=1") == 1
    manager.signal(signal.SIGTERM)
    assert manager.wait() == 0
    texts = systemd.texts()
    assert "STOPPING=1" in texts
    assert any(text.startswith("EXTEND_TIMEOUT_USEC=") for text in texts)
    assert not any("secret" in text or "MAINPID" in text or "FDSTORE" in text for text in texts)
    assert {pid for pid, _ in systemd.messages()} == {manager.pid}


def test_hup_reloads_and_says_so(site: Site, systemd: FakeSystemd) -> None:
    """supervisord would restart every job."""
    site.job("alpha")
    manager = site.start(env={"NOTIFY_SOCKET": str(systemd.path)})
    site.wait_ready("alpha")
    site.job("beta")
    began = time.monotonic()
    manager.signal(signal.SIGHUP)
    site.wait_ready("beta")
    assert site.row("alpha")["restarts"] == 0
    wait_until(lambda: systemd.texts().count("READY=1") == 2, what="READY after the reload")
    reloading = next(text for text in systemd.texts() if text.startswith("RELOADING=1"))
    usec = int(reloading.split("MONOTONIC_USEC=")[1])
    assert began <= usec / 1e6 <= time.monotonic()


def test_failed_reload_ends_with_ready_too(site: Site, systemd: FakeSystemd) -> None:
    site.job("alpha")
    manager = site.start(env={"NOTIFY_SOCKET": str(systemd.path)})
    site.wait_ready("alpha")
    site.ini.write_text("[scriptmgr]\nfrob = 1\n")
    manager.signal(signal.SIGHUP)
    manager.wait_output("update refused, everything stays as it is")
    wait_until(lambda: systemd.texts().count("READY=1") == 2, what="READY after the reload")
    assert "frob: unknown key" in manager.output


def test_ready_does_not_wait_for_jobs(site: Site, systemd: FakeSystemd) -> None:
    """A dead database must not fail boot."""
    site.job("alpha", "while True: signal.pause()")
    site.job("beta", "os._exit(1)")
    site.start(env={"NOTIFY_SOCKET": str(systemd.path)}, wait=False)
    wait_until(lambda: "READY=1" in systemd.texts(), what="READY")


def test_kill_9_of_the_manager_leaves_no_orphans(site: Site) -> None:
    body = """
        import subprocess
        helper = subprocess.Popen(["sleep", "1000"])
        server = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        notify(f"READY=1\\nSTATUS={helper.pid} {server.pid}")
        while True:
            signal.pause()
        """
    site.job("alpha", body)
    site.job("beta")
    first = site.start()
    site.wait_ready("alpha", "beta")
    rows = site.rows()
    helper, server = map(int, rows["alpha"]["status_text"].split())
    first.kill()
    wait_until(
        lambda: not any(running(row["pid"]) for row in rows.values()), what="the jobs are gone"
    )
    second = site.start()
    site.wait_ready("alpha", "beta")
    assert not running(helper)
    assert running(server)  # left its group on purpose, as a server that a job has started
    os.kill(server, signal.SIGKILL)
    assert "killed 1 processes" in second.output
    site.cmd("stop", "alpha")
    for pid in map(int, site.row("alpha")["status_text"].split()):
        os.kill(pid, signal.SIGKILL)


def test_second_manager_is_refused(site: Site, spawn: Spawn) -> None:
    site.job("alpha")
    first = site.start()
    site.wait_ready("alpha")
    pid = site.row("alpha")["pid"]
    second = spawn("scriptmgr", site.ini, "run")
    assert second.wait() == 1
    assert second.output == (
        f"scriptmgr: another manager uses {site.runtime}: already running as pid {first.pid} "
        f"({site.runtime}/scriptmgr.pid)\n"
    )
    row = site.row("alpha")
    assert (row["pid"], row["ready"]) == (pid, True)


def test_messages_of_strangers_are_dropped(site: Site) -> None:
    site.job("alpha", "while True: signal.pause()")
    site.start()
    site.wait_for("alpha", lambda row: row["pid"] is not None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1", str(site.runtime / "notify.sock"))
    site.cmd("info")  # another round of the loop
    assert not site.row("alpha")["ready"]


@pytest.mark.parametrize(
    ("ini", "code", "text"),
    [
        ("[scriptmgr]\nfrob = 1\n", 78, "[scriptmgr] frob: unknown key"),
        ("[scriptmgr]\nruntime_dir = {long}\n", 78, "is too long for unix sockets"),
        ("[scriptmgr]\nmetrics_listen = 0.0.0.0:1\n", 78, "is not a loopback address"),
        ("[scriptmgr]\nstop_timeout = soon\n", 78, "stop_timeout: 'soon' is not a number"),
        ("[pgqd]\nfrob = 1\n[scriptmgr]\n", 78, "[pgqd] frob: unknown key"),
        ("[pgqd]\n", 78, "section [scriptmgr] is missing; found: [pgqd]"),
        ("[scriptmgr\n", 78, "line 1"),
        ("[scriptmgr]\nruntime_dir = /proc/none\n", 1, "cannot create /proc/none"),
    ],
)
def test_faulty_manager_ini_is_refused(site: Site, ini: str, code: int, text: str) -> None:
    site.ini.write_text(ini.format(long="/tmp/" + "x" * 90))
    result = site.cmd("run")
    assert result.code == code
    assert len(result.err.splitlines()) == 1
    assert text in result.err
    if code == 78:
        assert site.cmd("check").code == 78


def test_missing_ini_is_refused(site: Site) -> None:
    site.ini.unlink()
    result = site.cmd("run")
    assert result.code == 78
    assert result.err == f"scriptmgr: {site.ini}: cannot be read: No such file or directory\n"
