# SPDX-License-Identifier: ISC
"""Data folders of servers that do not run: settings, signal files, copies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from skytools.core.errors import SkytoolsError
from skytools.walmgr.copying import Follower, copy_folders
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.remote import Host, clean_environment
from skytools.walmgr.sets import BackupSet
from skytools.walmgr.store import sync_folder

AUTO_CONF = "postgresql.auto.conf"
STANDBY, RECOVERY = "standby.signal", "recovery.signal"
SPACES = ".tablespaces"  # beside a restored data folder

# Whatever a copy of a server may say about recovery and replication is somebody else's.
FOREIGN = (
    "restore_command", "archive_cleanup_command", "recovery_end_command", "primary_conninfo",
    "primary_slot_name", "synchronous_standby_names", "recovery_target", "recovery_target_name",
    "recovery_target_time", "recovery_target_xid", "recovery_target_lsn",
    "recovery_target_inclusive", "recovery_target_timeline", "recovery_target_action",
    "recovery_min_apply_delay",
)  # fmt: skip


def write_settings(host: Host, datadir: Path, changes: Mapping[str, str | None]) -> None:
    """Change postgresql.auto.conf; None takes a setting out."""
    path = datadir / AUTO_CONF
    lines = (host.read(path) or "").splitlines()
    kept = [line for line in lines if line.partition("=")[0].strip() not in changes]
    kept += [f"{name} = {quoted(value)}" for name, value in changes.items() if value is not None]
    host.write(path, "\n".join(kept) + "\n")


def quoted(value: str) -> str:
    """Return a value as configuration files want it."""
    text = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"


def make_standby(host: Host, datadir: Path, settings: Mapping[str, str]) -> None:
    """Turn a data folder into a standby's."""
    write_settings(host, datadir, {**dict.fromkeys(FOREIGN), **settings})
    host.remove(datadir / RECOVERY)
    host.write(datadir / STANDBY, "")


def make_recovery(host: Host, datadir: Path, settings: Mapping[str, str]) -> None:
    """Turn a data folder into one that recovers to a target when it is started."""
    write_settings(host, datadir, {**dict.fromkeys(FOREIGN), **settings})
    host.remove(datadir / STANDBY)
    host.write(datadir / RECOVERY, "")


def is_empty(path: Path) -> bool:
    """Whether a folder is missing or empty. Raises SkytoolsError when nobody can say."""
    try:
        return not path.exists() or not any(path.iterdir())
    except OSError as exc:
        raise SkytoolsError(f"folder {path}: {exc.strerror}") from exc


def require_usable(path: Path) -> None:
    """Raise SkytoolsError unless a data folder can be made here."""
    parent = path.parent
    if not parent.is_dir():
        raise SkytoolsError(f"folder {parent} is missing: make it, owned by the server's user")
    target = path if path.exists() else parent
    if not os.access(target, os.W_OK | os.X_OK):
        raise SkytoolsError(f"folder {target} is not ours to write: give it to the server's user")


def stage_set(
    one: BackupSet, target: Path, chain: Sequence[BackupSet] = (), combine: Path | None = None
) -> None:
    """Copy a set beside `target`; shares blocks where the system can. Raises RefusedError.

    An incremental one is put together from its chain by `combine`, pg_combinebackup.
    """
    pairs = _begin_stage(one, target)
    aside, spaces = staged_at(target)
    if len(chain) > 1 and combine is not None:
        maps = [f"-T{one.spaces / oid}={spaces / oid}" for oid in one.tablespaces]
        words: list[str | Path] = [combine, "--no-sync", *maps, "-o", aside]
        _run([*words, *(part.data for part in chain)])
        return
    copy_folders(pairs)
    _end_stage(one, target)


class Staging:
    """A copy of a set beside `target` that begins while pg_basebackup still writes the set."""

    def __init__(self, one: BackupSet, target: Path) -> None:
        require_usable(target)
        self.one = one
        self.target = target
        self._follower = Follower(_begin_stage(one, target))
        self._follower.start()

    @property
    def folder(self) -> Path:
        """The copy's data folder."""
        return staged_at(self.target)[0]

    def finish(self) -> None:
        """Copy the rest, once the set is written. Raises ProgramError."""
        self._follower.finish()
        _end_stage(self.one, self.target)

    def stop(self) -> None:
        """End it wherever it is."""
        self._follower.stop()


def _begin_stage(one: BackupSet, target: Path) -> list[tuple[Path, Path]]:
    """Make room for a copy; return what is to be copied to where. Raises RefusedError."""
    if not is_empty(target):
        raise RefusedError(f"folder {target} is not empty")
    aside, spaces = staged_at(target)
    _remove(aside)
    if one.tablespaces:
        _remove(spaces)
        spaces.mkdir(mode=0o700)
    return [(one.data, aside), *((one.spaces / oid, spaces / oid) for oid in one.tablespaces)]


def _end_stage(one: BackupSet, target: Path) -> None:
    aside, spaces = staged_at(target)
    aside.chmod(0o700)
    for oid in one.tablespaces:
        link = aside / "pg_tblspc" / oid
        _remove(link)
        link.symlink_to(spaces / oid)
    for name in ("set.json", "postmaster.pid", "postmaster.opts"):
        (aside / name).unlink(missing_ok=True)


def install_set(
    one: BackupSet,
    target: Path,
    wal: Path | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Give a staged copy its name once all of it is on disk, so `target` is never half a copy.

    `check` reads it while it goes there; what it raises leaves `target` as it was.
    """
    aside, spaces = staged_at(target)
    if wal is not None:
        _move_wal(aside / "pg_wal", wal)
    with ThreadPoolExecutor(1) as pool:
        synced = [pool.submit(sync_tree, path) for path in (aside, spaces) if path.exists()]
        if check is not None:
            check(aside)
        for done in synced:
            done.result()
    if target.exists():
        target.rmdir()
    aside.rename(target)
    sync_folder(str(target.parent))


def staged_at(target: Path) -> tuple[Path, Path]:
    """Return where a copy waits for its name, and where its tablespaces are."""
    return target.with_name(f"{target.name}.copying"), target.with_name(target.name + SPACES)


def _move_wal(folder: Path, wal: Path) -> None:
    if not is_empty(wal):
        raise RefusedError(f"folder {wal} is not empty")
    if wal.exists():
        wal.rmdir()
    copy_folder(folder, wal)
    shutil.rmtree(folder)
    folder.symlink_to(wal)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder with all that is in it; shares blocks where the system can."""
    _run(["cp", "-a", "--reflink=auto", "--", source, target])


def sync_tree(path: Path) -> None:
    """Write everything below a folder to disk, in one go with what else its file system holds."""
    _run(["sync", "-f", path])


def _run(words: list[str | Path]) -> None:
    done = subprocess.run(
        list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, errors="replace", env=clean_environment({"LC_ALL": "C"}),
    )  # fmt: skip
    if done.returncode != 0:
        raise ProgramError(done.stderr.strip().splitlines()[-1])


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def set_aside(path: Path) -> Path:
    """Rename a data folder to the first free `path.N`; returns the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(aside)
    sync_folder(str(path.parent))
    return aside
