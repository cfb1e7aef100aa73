# SPDX-License-Identifier: ISC
"""Private PostgreSQL servers: unix socket only, trust authentication behind a 0700 folder.

For tests, the demo, benchmarks and drills. PostgreSQL refuses to run as root, so a server started
by root runs as the user `postgres`, or `nobody` where there is none. Nothing outside the given
folders is touched.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from skytools.core import processes
from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError, TransientError, UsageError
from skytools.core.unprivileged import server_user, state_root

__all__ = ["PrivateServer", "find_tree", "server_user", "state_root"]

# sockaddr_un.sun_path holds 108 bytes with the final zero.
MAX_SOCKET_PATH = 107
SUPERUSER = "postgres"
INCLUDED = "private.conf"
MAJORS = range(18, 13, -1)

STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

DEFAULT_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "log_line_prefix": "%m [%p] %q%d ",
    "timezone": "UTC",
}


def find_tree(major: int | None = None) -> Path:
    """Return the folder of server programs built by `make sql`: of `major`, else of the newest.

    SKYTOOLS_PG_BINDIR in the environment wins; SKYTOOLS_PG_MAJOR is the default of `major`.
    Raises UsageError when nothing is built.
    """
    given = os.environ.get("SKYTOOLS_PG_BINDIR")
    if given:
        return Path(given)
    major = major or int(os.environ.get("SKYTOOLS_PG_MAJOR", "0")) or None
    build = Path(__file__).resolve().parents[2] / "build"
    for candidate in MAJORS if major is None else (major,):
        moved = build / f"pg{candidate}.path"
        tree = Path(moved.read_text().strip()) if moved.is_file() else build / f"pg{candidate}"
        if (tree / "bin" / "postgres").is_file():
            return (tree / "bin").resolve()
    which = "" if major is None else f" for PostgreSQL {major}"
    raise UsageError(f"no server tree{which} in {build}; run: make sql")


class PrivateServer:
    """One cluster and its postmaster, which is a child of this process and dies with it.

    `settings` (added to DEFAULT_SETTINGS) are written at each start and may be changed before one.
    """

    def __init__(
        self,
        datadir: Path,
        bindir: Path | None = None,
        *,
        socket_dir: Path | None = None,
        user: str | None = None,
        port: int = 5432,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.datadir = datadir.absolute()
        self.bindir = bindir or find_tree()
        self.socket_dir = (socket_dir or self.datadir.parent).absolute()
        self.port = port
        self.user = user or server_user()
        self.settings = {**DEFAULT_SETTINGS, **(settings or {})}
        self.log_path = self.datadir.with_name(self.datadir.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        socket_path = f"{self.socket_dir}/.s.PGSQL.{port}"
        if len(os.fsencode(socket_path)) > MAX_SOCKET_PATH:
            raise UsageError(
                f"socket path {socket_path} has more than {MAX_SOCKET_PATH} bytes: shorten it"
            )

    def conninfo(self, dbname: str = "postgres") -> str:
        """Return a libpq connect string for `dbname`, as superuser."""
        return f"host={self.socket_dir} port={self.port} user={SUPERUSER} dbname={dbname}"

    def program(self, name: str) -> str:
        """Return the path of a PostgreSQL program of this server's version."""
        return str(self.bindir / name)

    def createdb(self, name: str, template: str = "template0") -> None:
        """Create database `name` as a copy of `template`, to which nobody may be connected."""
        self._admin("create database {} template {}", name, template)

    def dropdb(self, name: str) -> None:
        """Drop database `name` if it exists; its connections are ended."""
        self._admin("drop database if exists {} with (force)", name)

    def _admin(self, statement: str, *names: str) -> None:
        database = Database("private_server", self.conninfo(), autocommit=True)
        try:
            database.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        finally:
            database.close()

    @property
    def pid(self) -> int | None:
        """Process id of the running postmaster, else None."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def initdb(self) -> None:
        """Make the cluster and its folders, owned by the server's user; an existing one is kept."""
        for folder in (self.datadir, self.socket_dir):
            self._own_folder(folder)
        if (self.datadir / "PG_VERSION").exists():
            return
        arguments = [
            *("-D", str(self.datadir), "-U", SUPERUSER, "-A", "trust"),
            *("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ]
        done = subprocess.run(
            self._as_user([self.program("initdb"), *arguments]),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            last = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise SkytoolsError(f"initdb of {self.datadir} failed: {last[0]}")
        with (self.datadir / "postgresql.conf").open("a") as conf:
            conf.write(f"include_if_exists = '{INCLUDED}'\n")

    def start(self, timeout: float = 60.0) -> None:
        """Start the server, unless it runs, and wait until it accepts connections.

        Raises SkytoolsError with a line of the server's log when it does not come up.
        """
        if self.pid is not None:
            return
        # An owner of the folder that was killed may have left a server that keeps it locked.
        processes.kill_servers_in(self.datadir)
        (self.datadir / "postmaster.pid").unlink(missing_ok=True)
        self._own_folder(self.socket_dir)
        self._write_settings()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._as_user([self.program("postgres"), "-D", str(self.datadir)], bind_life=True),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server accepts connections."""
        deadline = time.monotonic() + timeout
        while not self._accepts():
            if self.pid is None:
                raise SkytoolsError(f"server {self.datadir} did not start: {self.last_log_line()}")
            if time.monotonic() > deadline:
                raise TransientError(
                    f"server {self.datadir} not ready after {timeout:g} s: {self.last_log_line()}"
                )
            time.sleep(0.02)

    def stop(self, mode: str = "fast", timeout: float = 60.0) -> None:
        """Stop the server: `smart`, `fast` or `immediate`; kill it when it does not obey."""
        if mode not in STOP_SIGNALS:
            raise UsageError(f"stop mode {mode!r}: use {', '.join(STOP_SIGNALS)}")
        if self._process is None:
            return
        if self.pid is not None:
            self._process.send_signal(STOP_SIGNALS[mode])
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End all processes of the server by SIGKILL, as a power failure would, and await it."""
        processes.kill_servers_in(self.datadir)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def restart(self, mode: str = "fast") -> None:
        """Stop and start again; settings are written anew."""
        self.stop(mode)
        self.start()

    def destroy(self) -> None:
        """Stop at once and remove the data folder and the log."""
        self.stop("immediate")
        shutil.rmtree(self.datadir, ignore_errors=True)
        self.log_path.unlink(missing_ok=True)

    def last_log_line(self) -> str:
        """Return the last line of the server's log that says something."""
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        told = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        return (told or lines or ["its log is empty"])[-1]

    def _accepts(self) -> bool:
        """Read the postmaster's own statement: first line its pid, eighth its state."""
        try:
            lines = (self.datadir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) >= 8
            and lines[0].strip() == str(self.pid)
            and lines[7].strip() in {"ready", "standby"}
        )

    def _write_settings(self) -> None:
        values = {
            **self.settings,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_dir),
        }
        text = "".join(f"{k} = '{v.replace(chr(39), chr(39) * 2)}'\n" for k, v in values.items())
        (self.datadir / INCLUDED).write_text(text)
        self._give(self.datadir / INCLUDED)

    def _own_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._give(folder)
        folder.chmod(0o700)

    def _give(self, path: Path) -> None:
        if self.user is not None:
            shutil.chown(path, self.user, grp.getgrgid(pwd.getpwnam(self.user).pw_gid).gr_name)

    def _as_user(self, command: list[str], *, bind_life: bool = False) -> list[str]:
        """Prefix the change of user and, with `bind_life`, the bond to this process.

        The kernel ends the child with the thread that started it, hence only for the main one.
        """
        prefix = ["setpriv"]
        if self.user is not None:
            prefix += [f"--reuid={self.user}", f"--regid={pwd.getpwnam(self.user).pw_gid}"]
            prefix += ["--init-groups"]
        if bind_life and threading.current_thread() is threading.main_thread():
            prefix += ["--pdeathsig", "QUIT"]
        return [*prefix, *command] if len(prefix) > 1 else command
