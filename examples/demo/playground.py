# SPDX-License-Identifier: ISC
"""`make play`: a shell beside a private PostgreSQL server, with the ticker and the manager at work.

What is made in it, databases and files, is there again the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from examples.demo import setup, stack
from examples.demo.__main__ import ROOT, undisturbed
from examples.demo.jobs import JobStatus
from skytools.core.cli import guard
from skytools.core.db import Database
from skytools.core.errors import TransientError, UsageError
from skytools.core.pgserver import PrivateServer, state_root

DATABASES = ("shop", "replica")
READY_SECONDS = 60.0

TICKER_INI = """\
[pgqd]
base_connstr = {conninfo}
# How soon a database that gets pgq is seen, in seconds.
check_period = 1
"""

WELCOME = """\
A private PostgreSQL server with the empty databases shop and replica, pgqd, and scriptmgr.
  psql                 database shop; `psql replica`; PGHOST and PGUSER are set
  scriptmgr status     jobs are the inis in jobs/; after a change: scriptmgr update
  qadmin shop          the console
  curl http://127.0.0.1:{port}/metrics
`exit` ends all of it. It is kept in {state} for the next time.
"""


@contextlib.contextmanager
def locked(preferred: Path) -> Iterator[Path]:
    """Give the folder of the playground, which is ours alone while the block runs."""
    state = state_root(preferred).resolve()
    state.mkdir(parents=True, exist_ok=True)
    with (state / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another shell runs in {state}; end it, or use --state") from None
        stack.end_leftovers(state)
        state.chmod(0o755)
        yield state


def write_files(state: Path, server: PrivateServer, port: int) -> Path:
    """Write the manager's ini, which is returned, that of the ticker, and a short `scriptmgr`."""
    for name in ("jobs", "log", "bin"):
        (state / name).mkdir(exist_ok=True)
    manager = state / "skytools.ini"
    manager.write_text(setup.MANAGER_INI.format(state=state, port=port))
    base = server.conninfo().rsplit(" dbname=", 1)[0]
    if not (state / "jobs" / "ticker.ini").exists():
        (state / "jobs" / "ticker.ini").write_text(TICKER_INI.format(conninfo=base))
    program = shlex.join([str(Path(sys.executable).with_name("scriptmgr")), str(manager)])
    script = state / "bin" / "scriptmgr"
    script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    script.chmod(0o755)
    return manager


def environment(state: Path, server: PrivateServer) -> dict[str, str]:
    """Return what the shell has: our programs, those of the server, and where it listens."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    folders = [state / "bin", Path(sys.executable).parent, server.bindir]
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    where = {"PGHOST": str(server.socket_dir), "PGUSER": "postgres", "PGDATABASE": DATABASES[0]}
    return {**kept, **where, "PATH": path, stack.STATE_ENV: str(state)}


def make_databases(server: PrivateServer) -> None:
    """Make the databases that are not there."""
    admin = Database("admin", server.conninfo(), autocommit=True)
    try:
        there = {str(name) for (name,) in admin.query("select datname from pg_database")}
    finally:
        admin.close()
    for name in DATABASES:
        if name not in there:
            server.createdb(name)


def wait_ready(state: Path, manager: subprocess.Popen[bytes]) -> None:
    """Wait until the manager answers. Raises TransientError with the last line of its log."""
    status = JobStatus(state / "run" / "control.sock")
    deadline = time.monotonic() + READY_SECONDS
    while not status.read():
        if manager.poll() is not None or time.monotonic() > deadline:
            told = stack.last_line(state / "log" / "scriptmgr.log")
            raise TransientError(f"scriptmgr is not ready: {told}")
        time.sleep(0.05)


def play(state: Path) -> int:
    """Run the shell; returns its exit code."""
    server = PrivateServer(state / "server" / "data")
    server.datadir.parent.mkdir(exist_ok=True)
    port = stack.free_port()
    server.initdb()
    server.start()
    try:
        make_databases(server)
        ini = write_files(state, server, port)
        env = environment(state, server)
        with (state / "log" / "scriptmgr.log").open("ab") as log:
            manager = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "scriptmgr", str(ini), "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**env, "PATH": os.pathsep.join(env["PATH"].split(os.pathsep)[1:])},
                start_new_session=True,
            )
        try:
            wait_ready(state, manager)
            print(WELCOME.format(port=port, state=state), flush=True)
            with undisturbed():
                return shell(state, env)
        finally:
            manager.terminate()
            manager.wait()
    finally:
        server.stop()


def shell(state: Path, env: dict[str, str]) -> int:
    """Run the user's shell, with the signals as they were."""
    done = subprocess.run(
        ["env", "--default-signal", os.environ.get("SHELL") or "/bin/sh"],
        cwd=state,
        env=env,
        check=False,
    )
    return done.returncode


def main(argv: list[str]) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="play", description="A shell beside a private server.")
    parser.add_argument("--state", type=Path, default=ROOT / ".play", help="folder (.play)")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with locked(given.state) as state:
        return play(state)


if __name__ == "__main__":
    sys.exit(guard("play", lambda: main(sys.argv[1:])))
