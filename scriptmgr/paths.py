# SPDX-License-Identifier: ISC
"""Files and sockets of a running manager."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from skytools.core.errors import ConfigError, SkytoolsError
from skytools.scriptmgr.config import SECTION, Manager
from skytools.scriptmgr.jobs import Job

SOCKET_MAX = 107  # bytes of a unix socket's path, a limit of the kernel


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything is below the runtime and log folders."""

    runtime: Path
    logs: Path

    @property
    def control(self) -> Path:
        """XML-RPC socket of the manager."""
        return self.runtime / "control.sock"

    @property
    def notify(self) -> Path:
        """Where jobs send sd_notify messages."""
        return self.runtime / "notify.sock"

    @property
    def pidfile(self) -> Path:
        """Locked as long as the manager lives."""
        return self.runtime / "scriptmgr.pid"

    @property
    def conf(self) -> Path:
        """Generated configuration of supervisord."""
        return self.runtime / "supervisord.conf"

    @property
    def supervisor_pidfile(self) -> Path:
        """A file supervisord insists on."""
        return self.runtime / "supervisord.pid"

    @property
    def jobs_file(self) -> Path:
        """The jobs as the manager knows them, for run-job."""
        return self.runtime / "jobs.json"

    @property
    def jobs(self) -> Path:
        """Folder of the metrics sockets."""
        return self.runtime / "jobs"

    def metrics_socket(self, name: str, user: str = "") -> Path:
        """Where a job serves its metrics; jobs of other users have a folder each."""
        folder = self.jobs / f"@{user}" if user else self.jobs
        return folder / f"{name}.sock"

    def output(self, name: str) -> Path:
        """File with what a job printed, beside its own log."""
        return self.logs / f"{name}.out"


def paths_of(manager: Manager) -> Paths:
    """Return the paths of a manager; nothing is created."""
    return Paths(manager.runtime_dir, manager.log_dir)


def require_usable(manager: Manager) -> None:
    """Raise ConfigError when the folders cannot be used because of their names."""
    ini = str(manager.ini or "defaults")
    paths = paths_of(manager)
    # supervisord binds control.sock.PID first; a pid has seven digits at most.
    room = SOCKET_MAX - len("/control.sock.4194304")
    if len(os.fsencode(paths.runtime)) > room:
        raise ConfigError.single(
            ini, SECTION, "runtime_dir",
            f"{paths.runtime} is too long for unix sockets: use a path of at most {room} bytes",
        )  # fmt: skip
    for key, path in (("runtime_dir", paths.runtime), ("log_dir", paths.logs)):
        text = str(path)
        if not text.isprintable() or any(bad in text for bad in (" ;", " #", ",", '"', "%")):
            raise ConfigError.single(
                ini, SECTION, key, f"{text!r} may hold no comma, quote, %, ' ;' or ' #'"
            )


def make_folders(paths: Paths) -> None:
    """Create what is missing. Raises SkytoolsError naming the folder."""
    for path in (paths.runtime, paths.logs, paths.jobs):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise SkytoolsError(f"cannot create {path}: {exc.strerror}") from exc
        if not os.access(path, os.W_OK | os.X_OK):
            raise SkytoolsError(f"cannot write into {path}: permission denied")


def make_user_folder(paths: Paths, job: Job) -> None:
    """Give a job of another user a place for its socket; the manager is root then."""
    if job.user:
        folder = paths.metrics_socket(job.name, job.user).parent
        folder.mkdir(mode=0o750, exist_ok=True)
        entry = pwd.getpwnam(job.user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)


def write_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that readers see the old or the new text, never half of it."""
    temp = path.with_name(f".{path.name}.new")
    temp.unlink(missing_ok=True)
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    temp.rename(path)
