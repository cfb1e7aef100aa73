# SPDX-License-Identifier: ISC
"""The part of walmgr: a server gets a standby, is killed while it is written to, and lives on.

Runs beside the load, on servers of its own. Commits wait for the receiver, so that every row whose
commit was acknowledged must be on the standby after it has been promoted.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from examples.demo.launcher import as_user, make_walmgr
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.core.pgserver import PrivateServer, find_tree
from skytools.core.unprivileged import server_user

NEEDS_SECONDS = 8.0  # a demo that is shorter goes without
PATIENCE = 120.0
ROWS = 500
STATES = "select sync_state from pg_stat_replication where application_name = 'walmgr_receiver'"

INI = """\
[walmgr]
master_db = {primary}
master_data = {folder}/primary/data
master_bin = {bindir}
slave_data = {folder}/standby/data
slave_bin = {bindir}
slave_settings = unix_socket_directories={folder}/standby
walmgr_data = {folder}/walmgr
synchronous = on
"""
SETTINGS = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_level": "replica",
    "archive_mode": "on", "wal_log_hints": "on", "shared_buffers": "16MB",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of it; `error` is empty when it went to its end. Durations in seconds."""

    pair: float = 0.0
    boot: float = 0.0
    acknowledged: int = 0
    missing: int = 0
    error: str = ""
    skipped: str = ""

    @property
    def good(self) -> bool:
        """Whether every acknowledged row is there."""
        return not self.error and self.missing == 0

    def __str__(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        if self.skipped:
            return f"not shown: {self.skipped}"
        return (
            f"paired in {self.pair:.1f} s; primary killed by -9, standby promoted in"
            f" {self.boot:.1f} s; {self.acknowledged} rows acknowledged, {self.missing} missing"
        )


class StandbyShow:
    """One run, in a thread. `stage` tells where it is."""

    def __init__(self, state: Path, environment: dict[str, str]) -> None:
        self.folder = state / "pair"
        self.stage = "not yet begun"
        self.outcome: Outcome | None = None
        self._env = environment
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._service: subprocess.Popen[bytes] | None = None
        self._primary: PrivateServer | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, timeout: float) -> Outcome:
        """Wait for the outcome."""
        self._thread.join(timeout)
        return self.outcome or Outcome(error=f"had not ended: {self.stage}")

    def close(self) -> None:
        """End it; the caller ends the processes that are left in the state folder."""
        self._stop.set()
        if self._service is not None:
            self._service.kill()
        if self._thread.is_alive():
            self._thread.join(10)
        if self._primary is not None:
            self._primary.kill()

    def _run(self) -> None:
        try:
            self.outcome = self._show()
        except UsageError as exc:
            self.outcome = Outcome(skipped=str(exc))  # not for this machine
        except (SkytoolsError, OSError) as exc:
            self.outcome = Outcome(error=str(exc))
        self.stage = str(self.outcome)

    def _show(self) -> Outcome:
        self.stage = "a primary of its own"
        program, primary = self._prepare()
        self.stage = "pair: archive, backup set, standby"
        began = time.monotonic()
        self._walmgr(program, "pair")
        paired = time.monotonic() - began
        self._serve(program)
        database = Database("pair", primary.conninfo(), autocommit=True)
        database.execute("create table proof (id bigint primary key)")
        self._wait(lambda: database.value(STATES) == "sync", "the receiver")
        database.close()
        self.stage = "writing; the primary is about to be killed"
        rows = self._write_and_kill(primary)
        self.stage = "boot: salvage, replay, promote"
        began = time.monotonic()
        self._walmgr(program, "boot")
        booted = time.monotonic() - began
        found = self._rows(primary)
        return Outcome(paired, booted, len(rows), len(rows - found))

    def _prepare(self) -> tuple[Path, PrivateServer]:
        self.folder.mkdir(mode=0o755)
        primary = self._primary = PrivateServer(self.folder / "primary" / "data", settings=SETTINGS)
        primary.initdb()
        primary.start()
        for name in ("standby", "walmgr"):
            (self.folder / name).mkdir(mode=0o700)
            if (user := server_user()) is not None:
                subprocess.run(["chown", user, str(self.folder / name)], check=True)
        ini = INI.format(primary=primary.conninfo(), folder=self.folder, bindir=find_tree())
        (self.folder / "wal.ini").write_text(ini)
        return make_walmgr(self.folder / "bin"), primary

    def _walmgr(self, program: Path, verb: str) -> None:
        if self._stop.is_set():
            raise SkytoolsError("interrupted")
        done = subprocess.run(
            self._words(program, verb), cwd=self.folder, env=self._env, capture_output=True,
            text=True, errors="replace", check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with (self.folder / "walmgr.log").open("a") as log:
            log.write(f"{done.stdout}{done.stderr}")
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise SkytoolsError(f"walmgr {verb}: {' '.join(last)}")

    def _words(self, program: Path, *verb: str) -> list[str]:
        return as_user([str(program), str(self.folder / "wal.ini"), *verb])

    def _serve(self, program: Path) -> None:
        with (self.folder / "service.log").open("ab") as log:
            self._service = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._words(program)], cwd=self.folder,
                env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _write_and_kill(self, primary: PrivateServer) -> set[int]:
        """Insert rows one by one, kill the server meanwhile; returns those acknowledged."""
        database = Database("writer", primary.conninfo(), autocommit=True)
        acknowledged: set[int] = set()
        killer = threading.Thread(target=primary.kill)
        number = 0
        try:
            while True:
                number += 1
                database.execute("insert into proof values (%s)", [number])
                acknowledged.add(number)
                if number == ROWS:
                    killer.start()
        except SkytoolsError:
            if number < ROWS:
                raise
        finally:
            database.close()
        killer.join()
        return acknowledged

    def _rows(self, primary: PrivateServer) -> set[int]:
        conninfo = primary.conninfo().replace(str(primary.socket_dir), f"{self.folder}/standby")
        database = Database("standby", conninfo, autocommit=True)
        try:
            return {row[0] for row in database.query("select id from proof")}
        finally:
            database.close()

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self._stop.wait(0.05) or time.monotonic() > deadline:
                raise SkytoolsError(f"{what} is not ready")
