# SPDX-License-Identifier: ISC
"""The verb `import`: backup sets and WAL of barman or walmgr3 become ours.

barman's files are copied and checked, never changed. Sets of walmgr3 lie in our own folder and are
only renamed. Can be repeated: what is there already is not taken again.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from glob import escape
from pathlib import Path

from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr import codec, postgres
from skytools.walmgr.datadir import copy_folder, sync_tree
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.files import locked
from skytools.walmgr.pair import Step
from skytools.walmgr.sets import (
    OK,
    VERIFIED,
    BackupSet,
    folder_size,
    label_facts,
    manifest_facts,
    read_set,
    stamp,
)
from skytools.walmgr.site import Site
from skytools.walmgr.store import sync_folder
from skytools.walmgr.wal import BACKUP, Segment, WalError, kind_of, parse_lsn

MAGIC = {b"\x1f\x8b": "gzip", b"\x04\x22\x4d\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}
INFO = "backup.info"
LOCK = ".import.lock"
COPYING, ADOPTING = ".copying-", ".import-"  # before the name of a set that is not one yet


def plan_import(site: Site, source: Path | None) -> list[Step]:
    """Return what is to be taken over; touches nothing. Raises UsageError, RefusedError."""
    if source is None:
        return list(_of_walmgr3(site))
    if not (source / "base").is_dir() or not (source / "wals").is_dir():
        raise UsageError(f"{source} is no server folder of barman: it has no base and wals")
    infos = [read_info(path) for path in sorted((source / "base").glob(f"*/{INFO}"))]
    done = [info for info in infos if info.get("status") == "DONE"]
    systems = {int(info["systemid"]) for info in done if info.get("systemid")}
    known = site.archive.identity()
    if len(systems) > 1 or (known and systems - {known}):
        found = ", ".join(map(str, sorted(systems)))
        raise RefusedError(f"{source} holds backups of cluster {found}, our archive is of {known}")
    return [*_wal_of_barman(site, source), *_sets_of_barman(site, source, done)]


def read_info(path: Path) -> dict[str, str]:
    """Read a file of barman: key=value on each line."""
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    info = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
    return {**info, "path": str(path.parent)}


def _wal_of_barman(site: Site, source: Path) -> Iterator[Step]:
    there = site.archive.names()
    files = [path for path in sorted((source / "wals").rglob("*")) if _is_wal(path)]
    new = [path for path in files if path.name not in there]
    if new:
        yield Step(f"archive {len(new)} WAL files", lambda: _admit_all(site, new))


def _is_wal(path: Path) -> bool:
    with suppress(WalError):
        return bool(kind_of(path.name)) and path.is_file()
    return False


def _admit_all(site: Site, files: list[Path]) -> None:
    """Take WAL into the archive through its gate, in the clear."""
    with tempfile.TemporaryDirectory(prefix=".import-", dir=site.cfg.home) as scratch:
        plain = Path(scratch) / "wal"
        for path in files:
            with path.open("rb", 0) as packed, plain.open("wb", 0) as target:
                head = packed.read(4)
                packed.seek(0)
                found = [name for magic, name in MAGIC.items() if head.startswith(magic)]
                codec.expand(found[0] if found else "none", packed.fileno(), target.fileno())
            site.archive.admit(str(plain), path.name)


def _sets_of_barman(site: Site, source: Path, infos: list[dict[str, str]]) -> Iterator[Step]:
    labels = {one.label for one in site.sets()}
    for info in infos:
        identity = Path(info["path"]).name
        label = f"barman {source.name} {identity}"
        if label in labels:
            continue
        if info.get("compression", "None") not in ("None", ""):
            raise RefusedError(f"backup {identity} is compressed: unpack it by barman first")
        yield Step(f"backup set {identity}: copy and check", _taker(site, info, label))


def _taker(site: Site, info: dict[str, str], label: str) -> Callable[[], None]:
    return lambda: _take_set(site, info, label)


def _take_set(site: Site, info: dict[str, str], label: str) -> None:
    source, facts = Path(info["path"]), _facts(info)
    prefix = site.cfg.sets
    path = prefix.with_name(f"{prefix.name}.{stamp(facts.started)}")
    if path.exists():
        raise RefusedError(f"{path} is there already")
    aside = prefix.with_name(f"{COPYING}{path.name}")
    with locked(site.cfg.home / LOCK, "another import"):
        if aside.exists():
            shutil.rmtree(aside)  # of one that was killed
        (aside / "tablespaces").mkdir(mode=0o700, parents=True)
        copy_folder(source / "data", aside / "data")
        for oid in facts.tablespaces:
            copy_folder(source / oid, aside / "tablespaces" / oid)
        one = replace(facts, name=path.name, path=aside, label=label, size=folder_size(aside))
        with site.backup_lock():
            one = _checked(site, one)
            one.save()
            sync_tree(aside)
            aside.rename(path)
            sync_folder(str(path.parent))
    site.say(f"backup set {path.name}: {one.state}")


def _facts(info: dict[str, str]) -> BackupSet:
    spaces = ast.literal_eval(info.get("tablespaces", "None")) or []
    return BackupSet(
        "", Path(), state=OK,
        started=datetime.fromisoformat(info["begin_time"]).timestamp(),
        finished=datetime.fromisoformat(info["end_time"]).timestamp(),
        timeline=int(info["timeline"]), start=parse_lsn(info["begin_xlog"]),
        stop=parse_lsn(info["end_xlog"]), system_id=int(info["systemid"]),
        version=int(info["version"]), segment_size=int(info["xlog_segment_size"]),
        tablespaces={str(oid): location for _name, oid, location in spaces},
    )  # fmt: skip


def _checked(site: Site, one: BackupSet) -> BackupSet:
    """Compare with the manifest where there is one; require the WAL that makes it consistent."""
    programs = site.programs(one.version // 10000)
    control = postgres.read_control(programs, one.data)
    if control.system_id != one.system_id:
        raise RefusedError(f"{one.data} is of cluster {control.system_id}, not {one.system_id}")
    there = site.archive.names()
    segment = Segment.at(one.timeline, one.start, one.segment_size)
    while segment.start < one.stop:
        if segment.name not in there:
            raise SkytoolsError(f"{segment.name} is missing: the set would never be consistent")
        segment = segment.next()
    if (one.data / "backup_manifest").is_file():
        words: list[str | Path] = ["--quiet", "--no-parse-wal", "--ignore=pg_wal", one.data]
        site.here.check([programs.path("pg_verifybackup"), *words])
        return replace(one, state=VERIFIED)
    return one


def _of_walmgr3(site: Site) -> Iterator[Step]:
    prefix = site.cfg.sets
    begun = prefix.parent.glob(f"{ADOPTING}{escape(prefix.name)}.*/data")
    halves = [
        replace(one, name=one.path.parent.name.removeprefix(ADOPTING))
        for one in map(read_set, begun) if one is not None
    ]  # fmt: skip
    for one in [*halves, *site.sets()]:
        if one.old and one.complete and one.start:
            yield Step(f"backup set {one.name}: take over from walmgr3", _adopter(site, one))


def _adopter(site: Site, one: BackupSet) -> Callable[[], None]:
    return lambda: _adopt(site, one)


def _adopt(site: Site, one: BackupSet) -> None:
    """Give a data folder of walmgr3 our layout, by renaming; complete when its WAL is there.

    Killed in between, it is found aside, and the next one goes on from there.
    """
    major = postgres.major_of(site.here, one.data) or 0
    control = postgres.read_control(site.programs(major), one.data)
    stop = _stop_of(site, one)
    facts = replace(
        one, state=OK, system_id=control.system_id, segment_size=control.segment_size,
        version=major * 10000, stop=stop, size=folder_size(one.path),
        label=one.label or f"walmgr3 {one.name}",
    )  # fmt: skip
    site.archive.claim(control.system_id)
    prefix, aside = site.cfg.sets, one.path.parent
    begun = aside.name.startswith(ADOPTING)
    if not begun:
        moment = stamp(one.started or one.finished)
        aside = prefix.with_name(f"{ADOPTING}{prefix.name}.{moment}")
    path = aside.with_name(aside.name.removeprefix(ADOPTING))
    if path.exists():
        raise RefusedError(f"{path} is there already")
    with site.backup_lock():
        if not begun:
            aside.mkdir(mode=0o700, exist_ok=True)
            one.path.rename(aside / "data")
        spaces = aside / "tablespaces"
        if (aside / "data" / "tmpspc").is_dir():
            (aside / "data" / "tmpspc").rename(spaces)
        spaces.mkdir(mode=0o700, exist_ok=True)
        oids = {p.name: "" for p in sorted(spaces.glob("[0-9]*"))}
        replace(facts, name=path.name, path=aside, tablespaces=oids).save()
        aside.rename(path)
        sync_folder(str(path.parent))


def _stop_of(site: Site, one: BackupSet) -> int:
    """Return where a set of walmgr3 is consistent: its .backup file, or its manifest, says it."""
    manifest = one.data / "backup_manifest"
    if manifest.is_file():
        return int(manifest_facts(manifest)["stop"])
    for name in site.archive.names():
        if kind_of(name) != BACKUP:
            continue
        text = site.archive.text(name)
        if label_facts(text)["start"] == one.start:
            found = [line.split()[3] for line in text.splitlines() if line.startswith("STOP WAL")]
            return parse_lsn(found[0])
    raise SkytoolsError(f"{one.name}: no .backup file in the archive says where it is consistent")
