# SPDX-License-Identifier: ISC
"""What of a running server's data folder belongs to a backup that copies files.

As PostgreSQL's documentation asks for low-level backups, and as pg_basebackup does it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skytools.walmgr.errors import ProgramError
from skytools.walmgr.link import remote_command
from skytools.walmgr.remote import LIST, Host, clean_environment

CONTROL = "global/pg_control"
MAIN = ""  # the root that is the data folder; others are numbers of tablespaces
EMPTY = (
    "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp",
    "pg_subtrans", "pg_wal",
)  # fmt: skip
NOT_OURS = frozenset((
    "postmaster.pid", "postmaster.opts", "backup_label", "tablespace_map", "backup_manifest",
    "backup_manifest.tmp", "postgresql.auto.conf.tmp", "current_logfiles.tmp",
))  # fmt: skip
# By the beginning of a name, anywhere: temporary files, and caches that a server makes again.
PREFIXES = ("pgsql_tmp", "pg_internal.init")
DATABASE = re.compile(r"(base|PG_\d+_\d+)/\d+")
RELATION = re.compile(r"(\d+)(?:_(fsm|vm|init))?(?:\.\d+)?")
TEMPORARY = re.compile(r"t\d+_\d+(_[a-z]+)?(\.\d+)?")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file on the server's host; `modified` in seconds since 1970 by that host's clock."""

    root: str
    name: str
    size: int
    modified: float


@dataclass(slots=True)
class Content:
    """What a backup consists of: files, and folders by root, each after what it is in."""

    files: list[SourceFile] = field(default_factory=list)
    folders: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # links and the like, which are left out


def list_content(
    host: Host, data: Path, oids: Iterable[str], version_folder: str, also_empty: Sequence[str]
) -> Content:
    """List a server's files; what vanishes meanwhile is not there. Raises ProgramError."""
    starts = {f"{data}/": MAIN, **{f"{data}/pg_tblspc/{oid}/": oid for oid in oids}}
    return choose(_list(host, starts), version_folder, (*EMPTY, *also_empty))


Found = tuple[str, SourceFile]  # the kind of file as `find` says it: f, d, l


def _list(host: Host, starts: Mapping[str, str]) -> Iterator[Found]:
    words = ["env", "LC_ALL=C", "TZ=UTC", "sh", "-c", LIST, "list", *starts]
    argv = words if host.local else remote_command(host.ssh, host.name, words)
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=clean_environment()
    )
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ProgramError(f"{host}: {lines[0] if lines else f'exit code {done.returncode}'}")
    for raw in done.stdout.split(b"\0")[:-1]:
        kind, size, modified, rest = os.fsdecode(raw).split(" ", 3)
        start, _, name = rest.partition("\t")
        if name:
            yield kind, SourceFile(starts[start], name, int(size), float(modified))


def choose(found: Iterable[Found], version_folder: str, empty: Sequence[str]) -> Content:
    """Leave out what is no part of a backup."""
    content = Content()
    candidates: list[SourceFile] = []
    for kind, one in found:
        if _is_left_out(one, version_folder, empty):
            continue
        if kind == "d" or (one.root == MAIN and one.name == "pg_wal"):
            content.folders.append((one.root, one.name))
        elif kind == "f":
            candidates.append(one)
        elif not (one.root == MAIN and one.name.startswith("pg_tblspc/")):
            content.others.append(one.name)
    unlogged = _unlogged(candidates)
    content.files = [one for one in candidates if not _is_temporary(one, unlogged)]
    return content


def _is_left_out(one: SourceFile, version_folder: str, empty: Sequence[str]) -> bool:
    parts = one.name.split("/")
    if any(part.startswith(PREFIXES) for part in parts):
        return True
    if one.root != MAIN:
        return parts[0] != version_folder  # of another major version
    if one.name in NOT_OURS or one.name == CONTROL:
        return True
    return any(one.name.startswith(f"{folder}/") for folder in empty)


def _unlogged(files: Iterable[SourceFile]) -> set[tuple[str, str, str]]:
    """Return root, folder and number of relations that have an init fork: they begin anew."""
    found = set()
    for one in files:
        folder, _, name = one.name.rpartition("/")
        match = RELATION.fullmatch(name)
        if match is not None and match[2] == "init" and DATABASE.fullmatch(folder):
            found.add((one.root, folder, match[1]))
    return found


def _is_temporary(one: SourceFile, unlogged: set[tuple[str, str, str]]) -> bool:
    folder, _, name = one.name.rpartition("/")
    if not DATABASE.fullmatch(folder):
        return False
    match = RELATION.fullmatch(name)
    if match is None:
        return TEMPORARY.fullmatch(name) is not None
    return match[2] != "init" and (one.root, folder, match[1]) in unlogged


def balance(files: Iterable[SourceFile], streams: int) -> list[list[SourceFile]]:
    """Divide files among streams so that each has about as much to do."""
    shares: list[list[SourceFile]] = [[] for _ in range(streams)]
    loads = [0] * streams
    for one in sorted(files, key=lambda one: one.size, reverse=True):
        least = loads.index(min(loads))
        shares[least].append(one)
        loads[least] += one.size + EACH
    return shares


EACH = 64 << 10  # a file costs as much as so many bytes, however small it is
