# SPDX-License-Identifier: ISC
"""A backup by several rsync side by side, for clusters that one stream is too slow for.

Files are copied while the server writes them; the WAL between the backup's start and its end
makes them fit together. Files that are as in an earlier set are linked instead, and never cross
the link. What the set is in the end, its manifest tells, as that of pg_basebackup.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr.content import CONTROL, MAIN, Content, SourceFile, balance, list_content
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.lowlevel import LowLevelBackup, write_label
from skytools.walmgr.manifest import (
    ALGORITHM,
    MANIFEST,
    Checksums,
    FileEntry,
    read_files,
    write_manifest,
)
from skytools.walmgr.node import Node
from skytools.walmgr.postgres import Programs, read_control
from skytools.walmgr.remote import Host
from skytools.walmgr.rsync import Job, Rsync, Streams
from skytools.walmgr.sets import PROGRESS, BackupSet
from skytools.walmgr.site import Site

SCRATCH = ".streams"
LOOK = 1.0  # s between two looks at server and streams
POLL = 0.1
CONTROL_TRIES = 5
CRC_WRONG = "CRC"
# A file may be changed without a sign of it within one tick of the clock that dates it, so what
# was changed as the earlier backup began is never taken to be the same. Seconds; clocks differ.
DOUBT = 60.0
RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kM]?)B?")
HINT = "backup_streams = 1 does without"


@dataclass(frozen=True, slots=True)
class Source:
    """A server whose files can be read, and how."""

    node: Node
    database: Database
    streams: int
    rate: str
    base: BackupSet | None  # whose files are linked


def open_source(
    site: Site, node: Node, database: Database, streams: int, rate: str, *, linked: bool
) -> Source:
    """Find out whether N streams can be made from a server; touches nothing. Raises SkytoolsError.

    The folder must be that of the very server which answers, or the WAL would not fit.
    """
    if node.data is None:
        raise UsageError(f"{node.name}_data must be set for a backup by several streams; {HINT}")
    kilobytes(rate)
    there = node.host.read(node.data / "postmaster.pid") or ""
    running = str(database.value("select pg_read_file('postmaster.pid')"))
    if there.splitlines()[:3] != running.splitlines()[:3]:
        raise SkytoolsError(
            f"{node.host}: {node.data} is not the data folder of the server that answers, and "
            f"several streams copy its files: see {node.name}_data, master_host; {HINT}"
        )
    for host in (site.here, node.host):
        done = host.run(["rsync", "--version"])
        if done.code != 0:
            raise SkytoolsError(f"{host}: rsync cannot be run: {done.last_line}; {HINT}")
    return Source(node, database, streams, rate, _base(site, database) if linked else None)


def kilobytes(rate: str) -> float:
    """Return a rate as pg_basebackup takes it in kB a second, 0 for none. Raises UsageError."""
    if not rate:
        return 0.0
    found = RATE.fullmatch(rate.strip())
    if found is None or float(found[1]) <= 0:
        raise UsageError(f"{rate!r} is no rate such as 500k or 20M")
    return float(found[1]) * (1024 if found[2] == "M" else 1)


def _base(site: Site, database: Database) -> BackupSet | None:
    """Return the newest set whose files may be linked: whole, and of the same cluster."""
    system = database.value("select system_identifier from pg_control_system()")
    major = database.server_version // 10000
    for one in reversed(site.sets()):
        same = (one.system_id, one.version // 10000) == (system, major)
        if one.complete and same and not one.parent and (one.data / MANIFEST).is_file():
            return one
    return None


def fetch(site: Site, one: BackupSet, source: Source, programs: Programs, conninfo: str) -> None:
    """Fill a set that was begun. Raises SkytoolsError, OSError; nothing runs any more then."""
    scratch = one.path / SCRATCH
    scratch.mkdir(mode=0o700)
    (one.data / "pg_wal").mkdir(mode=0o700, parents=True)
    with LowLevelBackup(site, one, programs, source.database, conninfo) as backup:
        backup.start()
        content = _prepare(site, one, source)
        checksums = Checksums(min(source.streams, os.cpu_count() or 1))
        rsync = Rsync(source.node.host, scratch, _packing(site))
        each = kilobytes(source.rate) / source.streams
        jobs = [jobs_of(one, source, share) for share in balance(content.files, source.streams)]
        progress = Progress(site, one, content, source.streams)
        with Streams(rsync, jobs, each, checksums) as streams:
            _wait(streams, backup, progress)
        _copy_control(one, source, programs, rsync)
        ended = backup.stop()
        write_label(one, ended.label)
    checksums.finish()
    entries = _entries(one, source, content, checksums)
    write_manifest(one.data, entries, [ended.range], major=programs.major, system_id=one.system_id)
    shutil.rmtree(scratch)
    progress.done()


def _packing(site: Site) -> str:
    return {"gzip": "zlibx", "none": ""}.get(
        site.cfg.backup_compression, site.cfg.backup_compression
    )


def _prepare(site: Site, one: BackupSet, source: Source) -> Content:
    """List what is to be copied, and make the folders and links for it."""
    database = source.database
    folder = "select 'PG_' || %s || '_' || catalog_version_no from pg_control_system()"
    version = str(database.value(folder, [str(one.version // 10000)]))
    # PostgreSQL 14 may have its statistics in another folder of the data folder.
    statistics = database.value("select current_setting('stats_temp_directory', true)")
    also_empty = [str(statistics)] if statistics else []
    node = source.node
    content = list_content(node.host, node.folder, one.tablespaces, version, also_empty)
    mode = int(str(database.value("show data_directory_mode")), 8)
    one.data.chmod(mode)
    for oid in one.tablespaces:
        (one.spaces / oid).mkdir(mode=mode)
    for root, name in content.folders:
        (_root(one, root) / name).mkdir(mode=mode, exist_ok=True)
    for oid in one.tablespaces:
        (one.data / "pg_tblspc" / oid).symlink_to(one.spaces / oid)
    if content.others:
        site.say(f"left out, as they are no plain files: {', '.join(content.others[:5])}")
    return content


def _root(one: BackupSet, root: str) -> Path:
    return one.data if root == MAIN else one.spaces / root


def _source_folder(data: Path, root: str) -> str:
    return f"{data}/" if root == MAIN else f"{data}/pg_tblspc/{root}/"


def jobs_of(one: BackupSet, source: Source, share: list[SourceFile]) -> list[Job]:
    """Divide the files of a stream by folder, and by whether they may be linked."""
    groups: dict[tuple[str, bool], list[str]] = {}
    base = source.base
    for file in share:
        linked = base is not None and file.modified < base.started - DOUBT
        linked = linked and (file.root == MAIN or file.root in base.tablespaces)  # type: ignore[union-attr]
        groups.setdefault((file.root, linked), []).append(file.name)
    jobs = []
    for (root, linked), names in groups.items():
        links = _root(base, root) if base is not None and linked else None
        jobs.append(Job(_source_folder(source.node.folder, root), _root(one, root), names, links))
    return jobs


def _wait(streams: Streams, backup: LowLevelBackup, progress: Progress) -> None:
    looked = 0.0
    while streams.running():
        if time.monotonic() - looked >= LOOK:
            backup.look()
            progress.show(streams.copied())
            looked = time.monotonic()
        streams.wait(POLL)
    backup.look()


def _copy_control(one: BackupSet, source: Source, programs: Programs, rsync: Rsync) -> None:
    """Copy the control file, after all else. The server may have been writing it: once more.

    It comes into the set when it is good: somebody may be making a copy of that meanwhile.
    """
    folder = _source_folder(source.node.folder, MAIN)
    aside = one.path / SCRATCH / "control"
    (aside / CONTROL).parent.mkdir(mode=0o700, parents=True)
    for _ in range(CONTROL_TRIES):
        rsync.run(Job(folder, aside, [CONTROL]), always=True)
        done = Host().run([programs.path("pg_controldata"), "-D", aside])
        if done.code == 0 and CRC_WRONG not in done.out + done.err:
            break
    else:
        raise ProgramError(f"{source.node.host}: {folder}{CONTROL} is damaged: its CRC is wrong")
    found = read_control(programs, aside).system_id
    if found != one.system_id:
        raise SkytoolsError(f"{folder} is of cluster {found}, the server of {one.system_id}")
    (aside / CONTROL).rename(one.data / CONTROL)


def _entries(
    one: BackupSet, source: Source, content: Content, checksums: Checksums
) -> list[FileEntry]:
    """Tell what is in the set. A linked file has the checksum that it had: damage is seen."""
    base = source.base
    known = read_files(base.data) if base is not None else {}
    files = [(file.root, file.name) for file in content.files]
    ours = [(MAIN, CONTROL), (MAIN, "backup_label")]
    files += ours

    def entry(file: tuple[str, str]) -> FileEntry | None:
        root, name = file
        path = _root(one, root) / name
        listed = name if root == MAIN else f"pg_tblspc/{root}/{name}"
        try:
            info = path.lstat()
        except FileNotFoundError:
            if file in ours:
                raise
            return None  # it vanished before it could be copied
        if info.st_nlink > 1 and base is not None and listed in known:
            earlier = known[listed]
            there = _root(base, root) / name
            if there.exists() and there.stat().st_ino == info.st_ino and earlier.checksum:
                return earlier
        return FileEntry(listed, info.st_size, info.st_mtime, checksums.of(path), ALGORITHM)

    with ThreadPoolExecutor(min(source.streams, os.cpu_count() or 1)) as pool:
        return [found for found in pool.map(entry, files) if found is not None]


class Progress:
    """How far a backup is, on a terminal and for `status`."""

    def __init__(self, site: Site, one: BackupSet, content: Content, streams: int) -> None:
        self._total = sum(file.size for file in content.files)
        self._path = one.path / PROGRESS
        self._streams = streams
        self._shown = site.out.terminal and not site.out.as_json

    def show(self, copied: int) -> None:
        """Tell it. What is linked is not copied, so the total may never be reached."""
        facts = {"copied": copied, "total": self._total, "streams": self._streams}
        # Not durable, unlike all else: it is worth nothing after a crash.
        self._path.write_text(json.dumps(facts))
        if self._shown:
            share = copied * 100 // max(self._total, 1)
            sys.stderr.write(
                f"\r{copied >> 10}/{self._total >> 10} kB ({share}%), {self._streams} streams"
            )
            sys.stderr.flush()

    def done(self) -> None:
        """End it."""
        self._path.unlink(missing_ok=True)
        if self._shown:
            sys.stderr.write("\n")
