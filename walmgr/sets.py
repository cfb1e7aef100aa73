# SPDX-License-Identifier: ISC
"""The catalogue of backup sets. All of it can be found out again from the sets themselves.

A set is a folder `<full_backup>.<time>` with the data folder in `data`, tablespaces by number in
`tablespaces`, and what we know in `set.json`. Sets of walmgr3 (a data folder with a backup_label,
tablespaces in `tmpspc`) are seen too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Any

from skytools.core.errors import UsageError
from skytools.walmgr.files import read_json, write_json
from skytools.walmgr.retention import Candidate
from skytools.walmgr.wal import Segment, WalError, parse_lsn

FACTS = "set.json"
PROGRESS = "progress.json"  # while it is made by several streams
RUNNING, OK, VERIFIED, DRILLED, FAILED = "running", "ok", "verified", "drilled", "failed"
UNVERIFIED = "unverified"  # of walmgr3, or its facts are lost
COMPLETE = (OK, VERIFIED, DRILLED, UNVERIFIED)


@dataclass(frozen=True, slots=True)
class BackupSet:
    """One set. Times in seconds since 1970 by the server's clock, sizes in bytes."""

    name: str
    path: Path
    state: str = RUNNING
    started: float = 0.0
    finished: float = 0.0
    seconds: float = 0.0
    size: int = 0
    timeline: int = 0
    start: int = 0
    stop: int = 0
    system_id: int = 0
    version: int = 0
    segment_size: int = 16 << 20
    parent: str = ""
    pinned: bool = False
    label: str = ""
    tablespaces: Mapping[str, str] = field(default_factory=dict)

    @property
    def old(self) -> bool:
        """Whether walmgr3 made it."""
        return not ((self.path / FACTS).exists() or (self.path / "data").is_dir())

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.path if self.old else self.path / "data"

    @property
    def spaces(self) -> Path:
        """The folder of its tablespaces."""
        return self.path / ("tmpspc" if self.old else "tablespaces")

    @property
    def complete(self) -> bool:
        """Whether a server can be made of it."""
        return self.state in COMPLETE

    @property
    def progress(self) -> str:
        """How far a set is that is being made; empty when nobody knows."""
        facts = read_json(self.path / PROGRESS)
        if self.state != RUNNING or not facts:
            return ""
        done, total = int(facts["copied"]), int(facts["total"])
        share = done * 100 // max(total, 1)
        return f"{done >> 20} of {total >> 20} MB ({share} %) by {facts['streams']} streams"

    def save(self) -> None:
        """Write what we know, durably."""
        facts = asdict(self)
        del facts["path"]
        write_json(self.path / FACTS, facts)

    def candidate(self) -> Candidate:
        """Return what retention needs to know."""
        return Candidate(
            self.name, self.complete, self.state == RUNNING, self.finished or self.started,
            self.start, self.pinned, self.parent, self._has_own_wal(),
        )  # fmt: skip

    def _has_own_wal(self) -> bool:
        """Whether the segments from its start to its stop are in it: it can do without others."""
        found = set()
        for path in (self.data / "pg_wal").glob("[0-9A-F]" * 24):
            with suppress(WalError):
                found.add(Segment.parse(path.name, self.segment_size).number)
        size = self.segment_size
        return self.stop > 0 and found.issuperset(range(self.start // size, -(-self.stop // size)))


def stamp(moment: float) -> str:
    """Return a time as part of a set's name."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


def list_sets(prefix: Path, *, running: bool) -> list[BackupSet]:
    """Return all sets, oldest first. `running`: whether a backup is being made now.

    `data.master-b.1` beside `data.master.1` is another's.
    """
    if not prefix.parent.is_dir():
        return []
    folders = [prefix, *prefix.parent.glob(f"{escape(prefix.name)}.*")]
    found = [one for path in folders if path.is_dir() and (one := read_set(path)) is not None]
    if not running:
        dead = {one.name for one in found if one.state == RUNNING}
        found = [replace(one, state=FAILED) if one.name in dead else one for one in found]
    return sorted(found, key=lambda one: (one.finished or one.started, one.name))


def chain_of(sets: Iterable[BackupSet], one: BackupSet) -> list[BackupSet]:
    """Return the sets that an incremental one is based on, the full one first, and itself.

    Raises UsageError when one of them is missing.
    """
    by_name = {other.name: other for other in sets}
    chain = [one]
    while chain[0].parent:
        parent = by_name.get(chain[0].parent)
        if parent is None or not parent.complete or parent in chain:
            raise UsageError(f"{chain[0].name} is based on {chain[0].parent}, which is not there")
        chain.insert(0, parent)
    return chain


def choose_set(sets: list[BackupSet], name: str) -> BackupSet:
    """Return the set of that name, or with that ending. Raises UsageError."""
    matching = [one for one in sets if one.name == name]
    matching = matching or [one for one in sets if one.name.endswith(f".{name}")]
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(one.name for one in sets) or "none"
    raise UsageError(f"no backup set {name!r}; there are: {known}")


def read_set(path: Path) -> BackupSet | None:
    """Return the set in a folder, None when it is none."""
    facts = read_json(path / FACTS)
    known = {key for key in BackupSet.__dataclass_fields__ if key not in ("path", "name")}
    if facts.get("state"):
        return BackupSet(path.name, path, **{k: v for k, v in facts.items() if k in known})
    data = path / "data" if (path / "data").is_dir() else path
    for label in ("backup_label", "backup_label.old"):
        if (data / label).is_file():
            return _rebuilt(path, data, (data / label).read_text(errors="replace"))
    return None


def _rebuilt(path: Path, data: Path, label: str) -> BackupSet:
    """Find out from a set's own files what set.json would say; without them it has failed."""
    facts: dict[str, Any] = {"state": UNVERIFIED, **label_facts(label)}
    moved = data.stat().st_mtime
    facts["finished"] = facts["started"] or moved
    manifest, version = data / "backup_manifest", data / "PG_VERSION"
    if manifest.is_file():
        try:
            facts.update(manifest_facts(manifest))
        except WalError:
            facts["state"] = FAILED
        facts["finished"] = manifest.stat().st_mtime
    elif not (data / "backup_label").is_file():
        facts["state"] = FAILED
    if version.is_file():
        major = version.read_text(errors="replace").strip()
        facts["version"] = int(major) * 10000 if major.isdecimal() else 0
    else:
        facts["state"] = FAILED
    for file in (data / "pg_wal").glob("[0-9A-F]" * 24):
        facts["segment_size"] = file.stat().st_size
    return BackupSet(path.name, path, **facts)


def label_facts(text: str) -> dict[str, Any]:
    """Read a backup_label."""
    facts: dict[str, Any] = {"started": 0.0, "start": 0, "timeline": 0, "label": ""}
    if found := re.search(r"^START WAL LOCATION: (\S+) \(file ([0-9A-F]{24})\)", text, re.M):
        facts["start"], facts["timeline"] = parse_lsn(found[1]), int(found[2][:8], 16)
    if found := re.search(r"^LABEL: (.*)$", text, re.M):
        facts["label"] = found[1]
    if found := re.search(r"^START TIME: (\d+-\d+-\d+ \d+:\d+:\d+) (GMT|UTC)$", text, re.M):
        facts["started"] = datetime.fromisoformat(f"{found[1]}+00:00").timestamp()
    return facts


def manifest_facts(path: Path) -> dict[str, Any]:
    """Read where a backup starts and ends from its manifest. Raises WalError."""
    try:
        ranges = json.loads(path.read_text(encoding="utf-8"))["WAL-Ranges"]
        last = ranges[-1]
        return {
            "timeline": int(last["Timeline"]),
            "start": parse_lsn(ranges[0]["Start-LSN"]),
            "stop": parse_lsn(last["End-LSN"]),
        }
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        raise WalError(f"{path} is no backup manifest: {exc!r}") from exc


def folder_size(path: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for folder, _, names in os.walk(path):
        total += sum((Path(folder) / name).lstat().st_size for name in names)
    return total
