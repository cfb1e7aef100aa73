# SPDX-License-Identifier: ISC
"""walmgr and Debian's pgBackRest on one server: the same WAL, the same compression."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.sides import ROOT
from examples.demo.launcher import as_started_by, as_user, make_walmgr
from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer
from skytools.core.unprivileged import server_user
from skytools.walmgr.archive import archive_command

SETTINGS = {
    "wal_level": "replica", "archive_mode": "on", "archive_command": "false", "fsync": "on",
    "wal_keep_size": "20GB", "max_wal_size": "20GB", "min_wal_size": "160MB",
    "wal_log_hints": "on", "checkpoint_timeout": "30min", "shared_buffers": "256MB",
}  # fmt: skip
REST = 15.0  # s
CODECS = {"none": "none", "lz4": "lz4", "zstd": "zst"}  # ours -> pgBackRest's, all at level 1


class Field:
    """A primary, a folder for everything else, and both programs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.primary = PrivateServer(root / "a" / "data", settings=SETTINGS)
        self.primary.initdb()
        self.primary.start()
        self.database = Database("bench", self.primary.conninfo(), autocommit=True)
        self.program = make_walmgr(root / "bin")
        self.ini = root / "wal.ini"
        self.backrest = subprocess.run(
            [ROOT / "bench/pgbackrest.sh"], capture_output=True, text=True, check=True
        ).stdout.strip()

    def discard(self, path: Path) -> None:
        """Take a folder out of the way; it is removed at the end.

        For half a minute after a removal ext4 passes over the inodes that became free, and a new
        file costs it 0.7 ms instead of 0.03: no side is to be measured by what was removed before.
        """
        if path.exists():
            gone = self.root / "gone"
            gone.mkdir(exist_ok=True)
            path.rename(gone / str(len(list(gone.iterdir()))))

    def folder(self, name: str) -> Path:
        """Make an empty folder that belongs to the server's user."""
        path = self.root / name
        self.discard(path)
        path.mkdir(mode=0o700, parents=True)
        if (user := server_user()) is not None:
            shutil.chown(path, user, user)
        return path

    def write_ini(self, codec: str = "none", **keys: str) -> None:
        """Write walmgr's ini; its folder is empty then."""
        data = self.folder("w")
        for name in ("w/logs.complete", "w/logs.partial"):
            self.folder(name)
        known = {
            "master_db": self.primary.conninfo(), "master_data": str(self.primary.datadir),
            "master_bin": str(self.primary.bindir), "slave_bin": str(self.primary.bindir),
            "slave_data": str(self.root / "b" / "data"), "walmgr_data": str(data),
            "slave_settings": f"unix_socket_directories={self.root}/b, port=5433",
            "archive_compression": codec, **keys,
        }  # fmt: skip
        lines = [f"{key} = {value}" for key, value in known.items()]
        self.ini.write_text("\n".join(["[walmgr]", *lines]) + "\n")

    def write_backrest(self, codec: str, *, asynchronous: bool = False) -> str:
        """Write pgBackRest's configuration and make its stanza; returns its command."""
        conf = self.root / "pgbackrest.conf"
        extra = f"archive-async=y\nspool-path={self.folder('spool')}\n" if asynchronous else ""
        conf.write_text(
            f"[global]\nrepo1-path={self.folder('repo')}\nlog-path={self.folder('log')}\n"
            f"lock-path={self.folder('lock')}\ncompress-type={codec}\ncompress-level=1\n"
            f"process-max=2\nlog-level-console=warn\nlog-level-file=off\nstart-fast=y\n{extra}"
            f"[main]\npg1-path={self.primary.datadir}\n"
            f"pg1-socket-path={self.primary.socket_dir}\npg1-user=postgres\n"
        )
        command = f"{self.backrest} --config={conf} --stanza=main"
        self.good(*command.split(), "stanza-create")
        return command

    def good(self, *words: object, timeout: float = 600) -> float:
        """Run a program as the server's user, which must succeed; returns seconds."""
        began = time.monotonic()
        done = subprocess.run(
            as_user([str(word) for word in words]), cwd=self.primary.datadir, capture_output=True,
            text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return time.monotonic() - began

    def walmgr(self, *words: object) -> float:
        """Run walmgr; returns seconds."""
        return self.good(self.program, self.ini, *words)

    def walmgr_push(self) -> str:
        """Return walmgr's archive_command."""
        command = archive_command(str(self.program), str(self.ini))
        return as_started_by(self.program, command)

    def make_wal(self, segments: int) -> list[str]:
        """Write whole segments with data of tables; returns their names."""
        self.database.execute("create table if not exists wal (id int, text text)")
        first = str(self.database.value("select pg_walfile_name(pg_switch_wal())"))
        status = self.primary.datadir / "pg_wal" / "archive_status"
        while len(list(status.glob("*.ready"))) <= segments:
            self.database.execute(
                "insert into wal select i, md5(i::text) || md5(random()::text)"
                " from generate_series(1, 50000) i"
            )
        names = sorted(p.name.removesuffix(".ready") for p in status.glob("*.ready"))
        return [name for name in names if name > first and len(name) == 24][:segments]

    def archive(self, command: str, names: list[str], *, backlog: bool) -> float:
        """Do what the archiver does, one file after the other; returns seconds a segment."""
        status = self.primary.datadir / "pg_wal" / "archive_status"
        for path in status.iterdir():
            path.rename(path.with_suffix(".done"))
        for name in names if backlog else []:
            (status / f"{name}.done").rename(status / f"{name}.ready")
        script = self.root / "archive.sh"
        lines = ["set -e", f"cd {self.primary.datadir}"]
        for name in names:
            ready = f"pg_wal/archive_status/{name}"
            if not backlog:
                lines.append(f"mv {ready}.done {ready}.ready")
            text = command.replace("%p", f"pg_wal/{name}").replace("%f", name).replace("%%", "%")
            lines += [f"( {text} )", f"mv {ready}.ready {ready}.done"]
        script.write_text("\n".join(lines) + "\n")
        return self.good("sh", script) / len(names)


@contextlib.contextmanager
def field(folder: str = "/var/tmp") -> Iterator[Field]:
    """Give a running primary in a scratch folder; all is gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir=folder))
    root.chmod(0o755)
    one = Field(root)
    try:
        yield one
    finally:
        one.database.close()
        one.primary.kill()
        shutil.rmtree(root, ignore_errors=True)


def compare(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> str:
    """Measure both alternately; returns the cells ours, theirs, ratio (medians)."""
    mine: list[float] = []
    other: list[float] = []
    for number in range(rounds):
        for work, figures in ((ours, mine), (theirs, other))[:: 1 if number % 2 else -1]:
            # A virtual disk gives short bursts: what the other side wrote is not to slow this one.
            os.sync()
            time.sleep(REST)
            figures.append(work())
    ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
    return f"{statistics.median(mine):.3f} | {statistics.median(other):.3f} | {ratio:.2f}"
