# SPDX-License-Identifier: ISC
"""`python -m bench.manager`: what a manager of many idle jobs costs, beside plain supervisord.

Both keep the same program running, at the same time, so that what else the machine does counts for
both. Only the two managers are measured, and scriptmgr's exporter on a line of its own, as
supervisord has no metrics. Ends with 1 when scriptmgr takes over 20 % more.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skytools.core.cli import format_table
from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.client import Client
from skytools.scriptmgr.jobs import EXPORTER

LIMIT = 1.2
PATIENCE = 120.0
PROGRAM = """\
import os, signal, socket
address = os.environ.get("NOTIFY_SOCKET")
if address:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", address)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    signal.pause()
"""
SUPERVISORD = """\
[supervisord]
nodaemon = true
logfile = {root}/supervisord.log
pidfile = {root}/supervisord.pid
childlogdir = {root}
[unix_http_server]
file = {root}/supervisord.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process has taken."""

    rss: int  # bytes
    cpu: float  # seconds


def cost(pid: int) -> Cost:
    """Read a process's memory, and its CPU time to the nanosecond."""
    proc = Path("/proc") / str(pid)
    line = next(x for x in (proc / "status").read_text().splitlines() if x.startswith("VmRSS"))
    return Cost(int(line.split()[1]) << 10, int((proc / "schedstat").read_text().split()[0]) / 1e9)


def children(pid: int) -> int:
    """Count the processes that a manager has started."""
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def write_plain(root: Path, jobs: int) -> list[str]:
    """Write the configuration of supervisord; returns its command."""
    text = SUPERVISORD.format(root=root)
    for number in range(jobs):
        text += f"[program:job{number}]\ncommand = {sys.executable} {root}/steady.py\n"
    (root / "plain.conf").write_text(text)
    program = "from supervisor.supervisord import main; main()"
    return [sys.executable, "-c", program, "-c", str(root / "plain.conf")]


def write_ours(root: Path, jobs: int) -> list[str]:
    """Write the inis of scriptmgr; returns its command."""
    (root / "jobs").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (root / "site.ini").write_text(
        f"[scriptmgr]\nconfig_list = jobs/*.ini\nruntime_dir = {root}/run\nlog_dir = {root}/log\n"
        f"metrics_listen = 127.0.0.1:{port}\n"
    )
    for number in range(jobs):
        ini = root / "jobs" / f"job{number}.ini"
        ini.write_text(f"[steady]\nscript = {root}/steady.py\n")
    return [sys.executable, "-m", "skytools.scriptmgr", str(root / "site.ini"), "run"]


def await_children(process: subprocess.Popen[bytes], wanted: int, said: Callable[[], str]) -> float:
    """Wait until a manager has that many children; returns the seconds that it took."""
    started = time.monotonic()
    while children(process.pid) < wanted:
        if process.poll() is not None or time.monotonic() - started > PATIENCE:
            raise SkytoolsError(f"{process.args!r} has not started {wanted} jobs: {said()}")
        time.sleep(0.02)
    return time.monotonic() - started


def exporter_pid(root: Path) -> int:
    """Return the pid of scriptmgr's exporter."""
    rows = Client(root / "run" / "control.sock").status()["jobs"]
    return int(next(row["pid"] for row in rows if row["job_name"] == EXPORTER))


def measure(root: Path, jobs: int, seconds: float) -> bool:
    """Run both, print what they take; returns whether scriptmgr keeps within the limit."""
    (root / "steady.py").write_text(PROGRAM)
    env = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}
    managers: list[subprocess.Popen[bytes]] = []
    sides = {
        "supervisord": (write_plain(root, jobs), jobs),
        "scriptmgr": (write_ours(root, jobs), jobs + 1),
    }
    try:
        for name, (command, wanted) in sides.items():
            said = root / f"{name}.out"
            with said.open("wb") as output:
                managers.append(subprocess.Popen(command, stdout=output, stderr=output, env=env))
            took = await_children(managers[-1], wanted, said.read_text)
            print(f"{name}: {wanted} processes after {took:.1f} s", flush=True)
        time.sleep(8.0)  # until supervisord too calls them running
        pids = [manager.pid for manager in managers] + [exporter_pid(root)]
        before = [cost(pid) for pid in pids]
        time.sleep(seconds)
        return report(before, [cost(pid) for pid in pids], seconds)
    finally:
        for manager in managers:
            manager.terminate()
        for manager in managers:
            manager.wait(timeout=PATIENCE)


def report(before: list[Cost], after: list[Cost], seconds: float) -> bool:
    """Print the table."""
    rows = []
    names = ("supervisord", "scriptmgr", "its exporter")
    for name, old, new in zip(names, before, after, strict=True):
        share = (new.cpu - old.cpu) / seconds
        cells = {"name": name, "rss": f"{new.rss / (1 << 20):.1f} MiB", "cpu": f"{share:.5f}"}
        rows.append(cells)
    columns = {"name": "process", "rss": "memory", "cpu": "cpu seconds per second, idle"}
    print("\n".join(format_table(rows, columns)))
    plain, ours = after[0].rss, after[1].rss
    plain_cpu, our_cpu = (after[i].cpu - before[i].cpu for i in (0, 1))
    print(f"scriptmgr / supervisord: rss {ours / plain:.2f}, idle cpu {our_cpu / plain_cpu:.2f}")
    return ours <= plain * LIMIT and our_cpu <= plain_cpu * LIMIT


def main() -> int:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(prog="bench.manager", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    opts = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skytools-manager.") as folder:
        return 0 if measure(Path(folder), opts.jobs, opts.seconds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
