# SPDX-License-Identifier: ISC
"""The two servers. Their names, master and slave, are those of the ini; who leads changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import merge_conninfo
from skytools.core.errors import UsageError
from skytools.walmgr import postgres
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.link import remote_command
from skytools.walmgr.postgres import Control, Programs
from skytools.walmgr.remote import Host, clean_environment

MASTER, SLAVE = "master", "slave"


@dataclass(frozen=True, slots=True)
class Node:
    """One server: where its files are, and how it is reached."""

    name: str
    host: Host
    data: Path | None
    bindir: Path | None
    given: str
    base: str
    settings: Mapping[str, str]
    start_cmd: str
    stop_cmd: str

    @property
    def conninfo(self) -> str:
        """How to reach it for statements; empty when it is local, not told, and does not run."""
        if self.given or self.data is None or not self.host.local:
            return self.given
        address = postgres.address_of(self.data)
        return merge_conninfo(self.base or "dbname=postgres", **address) if address else ""

    @property
    def folder(self) -> Path:
        """Return its data folder. Raises UsageError when the ini does not name it."""
        if self.data is None:
            raise UsageError(f"{self.name}_data must be set for this")
        return self.data

    def programs(self, major: int) -> Programs:
        """Return PostgreSQL's programs on its host. Raises UsageError."""
        return postgres.find_programs(self.host, self.bindir, major)

    def major(self) -> int | None:
        """Return the version of its data folder, None when there is none."""
        return None if self.data is None else postgres.major_of(self.host, self.data)

    def control(self) -> Control | None:
        """Return what its control file says, None when there is none."""
        major = self.major()
        return None if major is None else postgres.read_control(self.programs(major), self.folder)

    def running(self) -> bool:
        """Whether a server runs on the data folder. Raises ProgramError when nobody can say."""
        return self.data is not None and postgres.running_pid(self.host, self.data) is not None

    def wal_names(self) -> list[str]:
        """Return the names of the WAL files it has, sorted. Raises ProgramError."""
        return sorted(self.host.check(["ls", self.folder / "pg_wal"], timeout=30).split())

    def fetch_wal(self, name: str, target: Path) -> None:
        """Copy one of its WAL files here, durably. Raises ProgramError, OSError."""
        source = self.folder / "pg_wal" / name
        with target.open("wb") as file:
            if self.host.local:
                with source.open("rb") as original:
                    shutil.copyfileobj(original, file, 1 << 20)
            else:
                words = remote_command(self.host.ssh, self.host.name, ["cat", str(source)])
                done = subprocess.run(
                    words, stdin=subprocess.DEVNULL, stdout=file, check=False,
                    env=clean_environment(),
                )  # fmt: skip
                if done.returncode != 0:
                    raise ProgramError(f"{self.host}: {source} cannot be read")
            file.flush()
            os.fsync(file.fileno())


def nodes(cfg: WalmgrConfig) -> dict[str, Node]:
    """Return both servers of an ini, by name."""
    here = Host()
    master = Node(
        MASTER, Host(cfg.master_host, cfg.ssh), cfg.master_data, cfg.master_bin, cfg.primary,
        cfg.primary, cfg.pairs("master_settings"), "", "",
    )  # fmt: skip
    slave = Node(
        SLAVE, here, cfg.slave_data, cfg.slave_bin, cfg.slave_db, cfg.primary,
        cfg.pairs("slave_settings"), cfg.slave_start_cmd, cfg.slave_stop_cmd,
    )  # fmt: skip
    return {MASTER: master, SLAVE: slave}
