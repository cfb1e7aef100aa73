# SPDX-License-Identifier: ISC
"""The processes of the demo: two servers, the manager with its jobs, the load; and their end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from examples.demo import setup
from examples.demo.ports import claim_port
from skytools.core import processes
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, TransientError, UsageError
from skytools.core.pgserver import PrivateServer, find_tree, state_root

LOCK = ".skytools-demo.lock"
METRICS_PORT = 8432
# In the environment of all that the demo starts, so that a later demo can find what is left.
STATE_ENV = "SKYTOOLS_DEMO_STATE"
CLIENTS = 4
# A load that ends sooner than this, in seconds, so often in a row, will never work.
LOAD_LIVES = 2.0
MAX_LOAD_FAILURES = 12
# A TPC-B transaction changes three rows and inserts one.
EVENTS_PER_TRANSACTION = 4

# A demo on a machine in use: small, but as safe as a server comes: a commit is on the disk.
SERVER_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "track_commit_timestamp": "on",
    "autovacuum_naptime": "10s",
}


@contextlib.contextmanager
def claimed(preferred: Path) -> Iterator[Path]:
    """Give an empty state folder that is ours alone while the block runs.

    What a demo that was killed has left running is ended first.
    Raises UsageError when another demo uses the folder, or it is no folder of the demo.
    """
    state = state_root(preferred).resolve()
    try:
        state.mkdir(parents=True, exist_ok=True)
        if not (state / LOCK).exists() and any(state.iterdir()):
            raise UsageError(f"{state} is not empty and not a folder of the demo")
        lock = (state / LOCK).open("w")
    except OSError as exc:
        raise UsageError(f"state folder {state}: {exc.strerror}; try another by --state") from exc
    with lock:
        _lock(lock, state)
        end_leftovers(state)
        _wipe(state)
        state.chmod(0o755)
        yield state


def _lock(lock: IO[str], state: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"another demo runs in {state}; stop it, or use --state") from None


def _wipe(state: Path) -> None:
    for entry in state.iterdir():
        if entry.name == LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def leftovers(state: Path) -> set[int]:
    """Return the running processes that a demo in `state` has started, by their environment."""
    mark = f"{STATE_ENV}={state}".encode()
    found: set[int] = set()
    for process in processes.everyone():
        try:
            items = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue  # somebody else's, or gone
        if process.running and mark in items:
            found.add(process.pid)
    for name in ("source", "target", "pair/primary", "pair/standby"):
        found |= processes.servers_in(state / name / "data")
    return found


def end_leftovers(state: Path) -> None:
    """Kill what runs in `state`; again, as a manager may have started something meanwhile."""
    while left := leftovers(state):
        processes.send(left, signal.SIGKILL)
        processes.wait_gone(left)


class Stack:
    """Everything that runs. `close` ends it all, whatever state it is in."""

    def __init__(self, settings: setup.Settings, state: Path) -> None:
        self.settings = settings
        self.state = state
        self.log = state / "log"
        self.log.mkdir()
        tree = find_tree()
        self.source = self._server("source", tree)
        self.target = self._server("target", tree)
        self.port = free_port()
        self.manager_ini = Path()
        self.restarted: list[str] = []
        self._manager: subprocess.Popen[bytes] | None = None
        self._load: subprocess.Popen[bytes] | None = None
        self._load_started = 0.0
        self._load_failures = 0

    def _server(self, name: str, tree: Path) -> PrivateServer:
        # The server's user must be able to write below, and others to pass through.
        folder = self.state / name
        folder.mkdir()
        return PrivateServer(folder / "data", tree, settings=SERVER_SETTINGS)

    @property
    def scriptmgr(self) -> list[str]:
        """The command line of scriptmgr with the demo's ini, for a subcommand to be appended."""
        return [str(Path(sys.executable).with_name("scriptmgr")), str(self.manager_ini)]

    def start_servers(self) -> None:
        """Make and start both clusters."""
        for server in (self.source, self.target):
            server.initdb()
            server.start()

    def fill(self) -> None:
        """Make both databases."""
        setup.make_bank(self.source, self.settings.rate)
        setup.make_ledger(self.target)

    def start_manager(self) -> None:
        """Write the ini files and run `scriptmgr run` on them."""
        self.manager_ini = setup.write_inis(self.state, self.source, self.target, self.port)
        self._run_manager()

    def _run_manager(self) -> None:
        self._manager = self._spawn([*self.scriptmgr, "run"], "scriptmgr.log", "TERM")

    @property
    def manager_pid(self) -> int | None:
        """Process id of the running manager, else None."""
        if self._manager is None or self._manager.poll() is not None:
            return None
        return self._manager.pid

    def start_load(self) -> None:
        """Start pgbench at the wanted rate; it ends only by `stop_load`."""
        words = [self.source.program("pgbench"), "--no-vacuum", "--protocol=prepared"]
        words += ["--client", str(CLIENTS), "--jobs", "1", "--time", str(10**8)]
        words += ["--rate", f"{self.settings.rate / EVENTS_PER_TRANSACTION:g}"]
        self._load_started = time.monotonic()
        self._load = self._spawn(
            [*words, self.source.conninfo(setup.SOURCE_DB)], "pgbench.log", "KILL"
        )

    def tend(self) -> None:
        """Start again what has died: somebody may be trying that."""
        for name, server in (("source", self.source), ("target", self.target)):
            if server.pid is None:
                self.restarted.append(f"{name} server")
                server.kill()
                server.start()
        if self._load is not None and self._load.poll() is not None:
            self._tend_load()
        self._tend_manager()

    def _tend_load(self) -> None:
        """Start pgbench again: it ends when it loses its server. Give up when it never works."""
        lived = time.monotonic() - self._load_started
        self._load_failures = 0 if lived > LOAD_LIVES else self._load_failures + 1
        if self._load_failures > MAX_LOAD_FAILURES:
            raise SkytoolsError(
                f"the load does not run; its last line: {last_line(self.log / 'pgbench.log')}"
            )
        self.restarted.append("load")
        self.start_load()

    def _tend_manager(self) -> None:
        """Do what systemd would: start the manager again, unless it does not want to live."""
        if self.manager_pid is not None:
            return
        if self._manager is not None and self._manager.poll() != -signal.SIGKILL:
            raise SkytoolsError(
                f"scriptmgr has ended; its last line: {last_line(self.log / 'scriptmgr.log')}"
            )
        self.restarted.append("manager")
        self._run_manager()

    def stop_load(self, source: Database) -> None:
        """End pgbench and wait until the server has ended its transactions too."""
        if self._load is not None:
            self._load.kill()
            self._load.wait()
            self._load = None
        deadline = time.monotonic() + 30
        query = "select count(*) from pg_stat_activity where application_name = 'pgbench'"
        while source.value(query):
            if time.monotonic() > deadline:
                raise TransientError("transactions of the load did not end within 30 s")
            time.sleep(0.05)

    def close(self) -> None:
        """End every process."""
        with contextlib.ExitStack() as last:
            last.callback(end_leftovers, self.state)
            last.callback(self.target.stop, "fast", 10.0)
            last.callback(self.source.stop, "fast", 10.0)
            last.callback(self._stop_manager)
            if self._load is not None:
                last.callback(self._load.wait)
                last.callback(self._load.kill)

    def _stop_manager(self) -> None:
        manager, self._manager = self._manager, None
        if manager is None:
            return
        family = processes.descendants([manager.pid])
        manager.terminate()
        try:
            manager.wait(20)
        except subprocess.TimeoutExpired:
            processes.send({manager.pid} | family, signal.SIGKILL)
            manager.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all that the demo starts."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return {**env, STATE_ENV: str(self.state)}

    def _spawn(self, words: list[str], log: str, at_our_end: str) -> subprocess.Popen[bytes]:
        """Start a program that gets a signal when we are killed, and none from the terminal."""
        bond = ["setpriv", "--pdeathsig", at_our_end, "--"]
        with (self.log / log).open("ab") as file:
            return subprocess.Popen(
                [*bond, *words],
                cwd=self.state,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )


def free_port() -> int:
    """Return the manager's usual port when it is free, else any free one; others do not get it."""
    try:
        return claim_port(METRICS_PORT)
    except OSError as exc:
        raise SkytoolsError(str(exc)) from None


def last_line(path: Path) -> str:
    """Return the last line of a log that is not empty."""
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return lines[-1] if lines else "(it wrote none)"
