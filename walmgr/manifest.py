# SPDX-License-Identifier: ISC
"""Backup manifests as PostgreSQL writes them: files with size, time and checksum, ranges of WAL.

Version 2, from PostgreSQL 17 on, names the cluster too, so that it can be based on by incremental
sets. Whoever reads one (pg_verifybackup, pg_combinebackup, the server) checks its own checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from skytools.walmgr.wal import WalError, format_lsn

MANIFEST = "backup_manifest"
ASIDE = "backup_manifest.tmp"  # as PostgreSQL calls it, and nobody copies it
FIRST_WITH_SYSTEM = 17
ALGORITHM = "SHA256"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a backup; `modified` in seconds since 1970."""

    path: str
    size: int
    modified: float
    checksum: str
    algorithm: str = ALGORITHM

    def as_json(self) -> str:
        """Return its line."""
        raw = os.fsencode(self.path)
        try:
            named = {"Path": raw.decode("utf-8")}
        except UnicodeDecodeError:
            named = {"Encoded-Path": raw.hex()}
        moment = datetime.fromtimestamp(self.modified, UTC).strftime("%Y-%m-%d %H:%M:%S GMT")
        facts = {
            **named, "Size": self.size, "Last-Modified": moment,
            "Checksum-Algorithm": self.algorithm, "Checksum": self.checksum,
        }  # fmt: skip
        return json.dumps(facts, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class WalRange:
    """WAL that a backup needs."""

    timeline: int
    start: int
    end: int

    def as_json(self) -> str:
        """Return its line."""
        start, end = format_lsn(self.start), format_lsn(self.end)
        return json.dumps({"Timeline": self.timeline, "Start-LSN": start, "End-LSN": end})


def write_manifest(
    folder: Path, files: Iterable[FileEntry], ranges: Sequence[WalRange], *, major: int,
    system_id: int,
) -> None:  # fmt: skip
    """Write the manifest of a data folder, under its name once it is complete. Raises OSError."""
    digest = hashlib.sha256()
    aside = folder / ASIDE
    with aside.open("wb") as out:

        def add(text: str) -> None:
            raw = text.encode("utf-8")
            digest.update(raw)
            out.write(raw)

        version = 2 if major >= FIRST_WITH_SYSTEM else 1
        add(f'{{ "PostgreSQL-Backup-Manifest-Version": {version},\n')
        if version > 1:
            add(f'"System-Identifier": {system_id},\n')
        _add_list(add, "Files", (one.as_json() for one in files))
        _add_list(add, "WAL-Ranges", (one.as_json() for one in ranges))
        out.write(f'"Manifest-Checksum": "{digest.hexdigest()}"}}\n'.encode())
    aside.chmod(0o600)
    aside.rename(folder / MANIFEST)


def _add_list(add: Any, name: str, lines: Iterable[str]) -> None:
    add(f'"{name}": [\n')
    separator = ""
    for line in lines:
        add(f"{separator}{line}")
        separator = ",\n"
    add("\n],\n" if separator else "],\n")


def read_files(folder: Path) -> dict[str, FileEntry]:
    """Return the files that a data folder's manifest tells of, by path. Raises WalError."""
    path = folder / MANIFEST
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["Files"]
        entries = [_entry(facts) for facts in listed]
    except (ValueError, KeyError, TypeError) as exc:
        raise WalError(f"{path} is no backup manifest: {exc!r}") from exc
    return {one.path: one for one in entries}


def _entry(facts: Mapping[str, Any]) -> FileEntry:
    name = facts.get("Path")
    path = os.fsdecode(bytes.fromhex(facts["Encoded-Path"])) if name is None else str(name)
    moment = datetime.strptime(facts["Last-Modified"], "%Y-%m-%d %H:%M:%S GMT")
    return FileEntry(
        path, int(facts["Size"]), moment.replace(tzinfo=UTC).timestamp(),
        facts.get("Checksum", ""), facts.get("Checksum-Algorithm", ""),
    )  # fmt: skip


class Checksums:
    """SHA-256 of files, made by threads as soon as somebody says that a file is there.

    A file that was changed since, or was not there yet, is read again when it is asked for.
    """

    def __init__(self, threads: int) -> None:
        self._queue: SimpleQueue[Path | None] = SimpleQueue()
        self._known: dict[Path, tuple[tuple[int, int, int], str]] = {}
        self._threads = [
            threading.Thread(target=self._work, name="checksums", daemon=True)
            for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, path: Path) -> None:
        """Have a file read soon."""
        self._queue.put(path)

    def finish(self) -> None:
        """Wait until all that was added is read; nothing can be added any more."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def of(self, path: Path) -> str:
        """Return the checksum of a file. Raises OSError."""
        known = self._known.get(path)
        if known is not None and known[0] == _identity(path.stat()):
            return known[1]
        return _checksum(path)[1]

    def _work(self) -> None:
        while (path := self._queue.get()) is not None:
            try:
                self._known[path] = _checksum(path)
            except OSError:
                continue  # who asks for it gets the error


def _checksum(path: Path) -> tuple[tuple[int, int, int], str]:
    with path.open("rb", 0) as file:
        before = _identity(os.fstat(file.fileno()))
        return before, hashlib.file_digest(file, "sha256").hexdigest()


def _identity(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_ino, info.st_size, info.st_mtime_ns
