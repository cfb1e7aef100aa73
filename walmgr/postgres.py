# SPDX-License-Identifier: ISC
"""PostgreSQL's programs and what they say about a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr.remote import SAME_FOLDER, Host
from skytools.walmgr.wal import parse_lsn

OLDEST_MAJOR = 14
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder of a major's programs on a host."""

    host: Host
    bindir: Path
    major: int

    def path(self, name: str) -> Path:
        """Return the path of a program."""
        return self.bindir / name


def find_programs(host: Host, bindir: Path | None, major: int) -> Programs:
    """Return the programs of a major version. Raises UsageError when they are not there."""
    folder = bindir or DEBIAN / str(major) / "bin"
    done = host.run([folder / "pg_controldata", "--version"])
    if done.code != 0:
        raise UsageError(
            f"{host}: PostgreSQL {major} is not in {folder}: install it, or set slave_bin"
        )
    found = _VERSION.search(done.out)
    if found is None or int(found[1]) != major:
        raise UsageError(
            f"{host}: {folder} has {done.out.strip()}, the cluster needs PostgreSQL {major}"
        )
    return Programs(host, folder, major)


def major_of(host: Host, datadir: Path) -> int | None:
    """Return the major version of a data folder, None when it is none."""
    text = host.read(datadir / "PG_VERSION")
    return int(text) if text and text.strip().isdigit() else None


@dataclass(frozen=True, slots=True)
class Control:
    """What the control file of a cluster says."""

    system_id: int
    state: str
    checkpoint: int
    redo: int
    timeline: int
    segment_size: int
    minimum_recovery_end: int
    minimum_recovery_timeline: int
    checksums: bool
    log_hints: bool

    @property
    def clean(self) -> bool:
        """Whether the server was shut down in order."""
        return self.state in ("shut down", "shut down in recovery")


def read_control(programs: Programs, datadir: Path) -> Control:
    """Ask pg_controldata. Raises ProgramError, SkytoolsError."""
    out = programs.host.check([programs.path("pg_controldata"), "-D", datadir])
    pairs = (line.partition(":") for line in out.splitlines())
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    try:
        return Control(
            system_id=int(facts["Database system identifier"]),
            state=facts["Database cluster state"],
            checkpoint=parse_lsn(facts["Latest checkpoint location"]),
            redo=parse_lsn(facts["Latest checkpoint's REDO location"]),
            timeline=int(facts["Latest checkpoint's TimeLineID"]),
            segment_size=int(facts["Bytes per WAL segment"]),
            minimum_recovery_end=parse_lsn(facts["Minimum recovery ending location"]),
            minimum_recovery_timeline=int(facts["Min recovery ending loc's timeline"]),
            checksums=facts["Data page checksum version"] != "0",
            log_hints=facts["wal_log_hints setting"] == "on",
        )
    except KeyError as exc:
        raise SkytoolsError(f"{datadir}: pg_controldata does not tell {exc}") from exc


@dataclass(frozen=True, slots=True)
class Server:
    """What a running server says of itself."""

    system_id: int
    version: int
    segment_size: int
    timeline: int
    in_recovery: bool

    @property
    def major(self) -> int:
        """The major version."""
        return self.version // 10000


def ask_server(database: Database) -> Server:
    """Ask a server, which must be one that we know. Raises UsageError, TransientError."""
    version = database.server_version
    if version // 10000 < OLDEST_MAJOR:
        raise UsageError(
            f"{database.name}: PostgreSQL {version // 10000} is too old, need {OLDEST_MAJOR}"
        )
    row = database.query_one(
        "select system_identifier, pg_size_bytes(current_setting('wal_segment_size')),"
        " timeline_id, pg_is_in_recovery() from pg_control_system(), pg_control_checkpoint()"
    )
    assert row is not None
    return Server(row[0], version, row[1], row[2], row[3])


def running_pid(host: Host, datadir: Path) -> int | None:
    """Return the process of the server on a data folder, None when there is none."""
    text = host.read(datadir / "postmaster.pid")
    first = text.split("\n", 1)[0].strip() if text else ""
    if not first.isdigit():
        return None
    if host.run(["test", "-r", f"/proc/{first}/cwd"]).code == 0:
        done = host.run(["sh", "-c", SAME_FOLDER, "same", first, datadir])
        return int(first) if done.code == 0 else None
    state = host.run(["cat", f"/proc/{first}/stat"])
    gone = state.code != 0 or state.out.rpartition(")")[2].split()[0] in ("Z", "X")
    return None if gone else int(first)


def address_of(datadir: Path) -> dict[str, str] | None:
    """Return host and port of the server on a local data folder, None when it does not run."""
    try:
        lines = (datadir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 6:
        return None
    port, socket, address = lines[3].strip(), lines[4].strip(), lines[5].strip()
    host = socket or {"*": "localhost", "0.0.0.0": "127.0.0.1"}.get(address, address)  # noqa: S104
    return {"host": host, "port": port} if host else None
