# SPDX-License-Identifier: ISC
"""The archive: one folder of WAL files, and the only way in.

Whatever completes a file first, archive_command or the receiver, it is admitted by `admit`:
checked, compared with what is there, written aside, synced, renamed, and the folder synced.
Success is returned for durable, identical content only.
"""

from __future__ import annotations

import fcntl
import os
import time

from skytools.walmgr import codec
from skytools.walmgr.blocks import contextmanager, suppress
from skytools.walmgr.compare import holds_more, same_content
from skytools.walmgr.page import MAX_TEXT, CutOffError, check_content
from skytools.walmgr.wal import PARTIAL, SEGMENT, History, WalError, kind_of

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INCOMING = ".incoming"  # files on their way in; nothing in it is part of the archive
CONFLICTS = ".conflicts"  # refused files: the name was taken by other content
IDENTITY = ".identity"
STATS = ".stats"
LOCK = ".lock"
LOCK_TIMEOUT = 30.0

join = os.path.join


class ConflictError(WalError):
    """The archive has a file of that name with other content."""


class Found:
    """An archived file: its path on disk and how it is packed."""

    __slots__ = ("codec", "name", "path")

    def __init__(self, name: str, path: str, packed: str) -> None:
        self.name = name
        self.path = path
        self.codec = packed


class Archive:
    """The folder `completed_wals`. `packed` is the compression of segments that come in."""

    def __init__(self, path: str, packed: str = "none") -> None:
        if packed not in codec.SUFFIXES:
            raise WalError(f"compression {packed!r} is none of: {', '.join(codec.SUFFIXES)}")
        self.path = path
        self.packed = packed

    # looking

    def find(self, name: str) -> Found | None:
        """Return the archived file of that name. Raises OSError when the folder is not there."""
        for packed, suffix in codec.SUFFIXES.items():
            path = join(self.path, name + suffix)
            with suppress(FileNotFoundError):  # nothing else means that it is not there
                os.lstat(path)
                return Found(name, path, packed)
        # A folder that is not there (not mounted) is not the same as a missing file.
        os.stat(self.path)
        return None

    def names(self) -> dict[str, str]:
        """Return name -> file name of all files in the archive."""
        out = {}
        for entry in os.listdir(self.path):
            name = entry
            for suffix in (".gz", ".lz4", ".zst"):
                name = name.removesuffix(suffix)
            with suppress(WalError):
                kind_of(name)
                out[name] = entry
        return out

    def extract(self, found: Found, target: str) -> None:
        """Write an archived file in the clear to `target`, which appears only when it is whole.

        A segment is checked. PostgreSQL syncs it when it takes it over. Raises WalError, OSError.
        """
        with codec.appearing(target) as fd:
            self.expand(found, fd)
            check_content(fd, found.name, self.identity())

    def expand(self, found: Found, target: int) -> None:
        """Write an archived file in the clear. Raises WalError, OSError."""
        with _opened(found.path) as source:
            try:
                codec.expand(found.codec, source, target)
            except WalError as exc:
                raise WalError(f"{name_of(found)}: {exc}") from exc

    def check(self, found: Found) -> None:
        """Read an archived file to its end. Raises WalError when it is damaged, OSError."""
        fd = os.memfd_create(found.name, os.MFD_CLOEXEC)
        try:
            self.expand(found, fd)
            check_content(fd, found.name, self.identity())
        finally:
            os.close(fd)

    def text(self, name: str) -> str:
        """Return the content of a .history or .backup file. Raises WalError, OSError."""
        found = self.find(name)
        if found is None:
            raise WalError(f"{name} is not in the archive {self.path}")
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
        try:
            self.expand(found, fd)
            return os.pread(fd, MAX_TEXT, 0).decode("utf-8", "replace")
        finally:
            os.close(fd)

    def history(self, timeline: int) -> History:
        """Return the history of a timeline; the first has none. Raises WalError, OSError."""
        if timeline == 1:
            return History(1)
        return History.parse(timeline, self.text(f"{timeline:08X}.history"))

    def identity(self) -> int:
        """Return the system identifier of the cluster whose archive this is, 0 before it is set."""
        try:
            with open(join(self.path, IDENTITY), encoding="ascii") as file:
                return int(file.read())
        except FileNotFoundError:
            return 0
        except ValueError as exc:
            raise WalError(f"{join(self.path, IDENTITY)} is no number") from exc

    # changing

    def claim(self, system_id: int) -> None:
        """Make this the archive of that cluster. Raises WalError when it is another's."""
        known = self.identity()
        if known == 0:
            with self._locked():
                known = self.identity() or system_id
                self._write_small(IDENTITY, f"{known}\n", sync=True)
        if known != system_id:
            raise WalError(
                f"archive {self.path} belongs to another cluster: system identifier {known}, "
                f"not {system_id}"
            )

    def admit(self, source: str, name: str) -> bool:
        """Take in a file; True when it is new, False when it was there with the same content.

        Durable when this returns. Raises ConflictError when the name is taken by other content (the
        newcomer is kept in .conflicts), WalError when it does not belong here, OSError.
        """
        kind = kind_of(name)
        started = time.monotonic()
        with _opened(source) as fd:
            size = os.fstat(fd).st_size
            try:
                header = check_content(fd, name, self.identity())
            except CutOffError as exc:
                if holds_more(self, fd, name, exc.end):
                    return False
                raise
            if header is not None:
                self.claim(header.system_id)
            new = self._admit(fd, name, self.packed if kind in (SEGMENT, PARTIAL) else "none")
        if new:
            self._count(size, time.monotonic() - started)
        return new

    def _admit(self, fd: int, name: str, packed: str) -> bool:
        if (found := self.find(name)) is not None:
            return self._compare(fd, found)
        with self.incoming(name) as (target, aside):
            os.lseek(fd, 0, os.SEEK_SET)
            codec.compress(packed, fd, target)
            os.fsync(target)
            with self._locked():
                # Somebody else may have brought it meanwhile.
                if (found := self.find(name)) is None:
                    final = join(self.path, name + codec.SUFFIXES[packed])
                    os.rename(aside, final)
                    sync_folder(self.path)
                    return True
        return self._compare(fd, found)

    def _compare(self, fd: int, found: Found) -> bool:
        """Return False for the same content, after making sure that it is on disk."""
        remedy = "with other content, which stays", "find out which of two servers is the right one"
        with _opened(found.path) as there, self.incoming(found.name) as (plain, _aside):
            try:
                codec.expand(found.codec, there, plain)
                if same_content(fd, plain):
                    os.fsync(there)
                    sync_folder(self.path)
                    return False
                check_content(plain, found.name, 0)
            except WalError as exc:
                remedy = f"damaged ({exc})", "move the damaged one away, and this one is taken"
        self._keep_aside(fd, found.name)
        raise ConflictError(
            f"{name_of(found)} is in the archive {remedy[0]}; the new file is in "
            f"{join(self.path, CONFLICTS)}: {remedy[1]}"
        )

    def _keep_aside(self, fd: int, name: str) -> None:
        """Keep a refused file once: PostgreSQL offers it again every minute."""
        folder = join(self.path, CONFLICTS)
        os.makedirs(folder, 0o700, exist_ok=True)
        path = join(folder, name)
        if os.path.lexists(path):
            return
        with self.incoming(name) as (target, aside):
            os.lseek(fd, 0, os.SEEK_SET)
            codec.copy(fd, target)
            os.fsync(target)
            os.rename(aside, path)
            sync_folder(folder)

    @contextmanager
    def incoming(self, name: str) -> Iterator[tuple[int, str]]:
        """Give a locked file in .incoming; it is removed unless it was renamed.

        The lock tells files of living writers from what a killed one has left.
        """
        fd, path = self.open_incoming(name)
        try:
            yield fd, path
        finally:
            _remove(path)
            os.close(fd)

    def open_incoming(self, name: str) -> tuple[int, str]:
        """Make a locked file in .incoming, which the caller renames or removes."""
        folder = join(self.path, INCOMING)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        self._sweep(folder)
        path = join(folder, f"{name}.{os.getpid()}.{time.monotonic_ns()}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return fd, path

    def _sweep(self, folder: str) -> None:
        for entry in os.listdir(folder):
            path = join(folder, entry)
            try:
                fd = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # One that was created a moment ago is not locked yet.
                if time.time() - os.fstat(fd).st_mtime > LOCK_TIMEOUT:
                    _remove(path)
            except BlockingIOError:
                continue
            finally:
                os.close(fd)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the archive's lock. Raises WalError when it cannot be had in time."""
        with _opened(join(self.path, LOCK), os.O_RDWR | os.O_CREAT) as fd:
            deadline = time.monotonic() + LOCK_TIMEOUT
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise WalError(
                            f"archive {self.path} is locked by another process"
                        ) from None
                    time.sleep(0.01)
            yield

    def _write_small(self, name: str, text: str, *, sync: bool) -> None:
        with self.incoming(name) as (fd, aside):
            codec.write_all(fd, text.encode("ascii"))
            if sync:
                os.fsync(fd)
            os.rename(aside, join(self.path, name))
            if sync:
                sync_folder(self.path)

    # counters, for the metrics of the daemon

    def stats(self) -> dict[str, float]:
        """Return the counters of the archive; empty when there are none."""
        try:
            with open(join(self.path, STATS), encoding="ascii") as file:
                pairs = (line.split("=", 1) for line in file if "=" in line)
                return {key: float(value) for key, value in pairs}
        except (FileNotFoundError, ValueError):
            return {}

    def _count(self, size: int, seconds: float) -> None:
        """Count an admitted file. Not synced: after a power failure counting begins anew."""

        def change(stats: dict[str, float]) -> None:
            add(stats, "files", 1)
            add(stats, "bytes", size)
            add(stats, "seconds", seconds)
            stats["last"] = time.time()
            for bound in DURATION_BUCKETS:
                add(stats, f"le_{bound:g}", seconds <= bound)

        self._change_stats(change)

    def count_failure(self) -> None:
        """Count a failed attempt. Raises WalError, OSError."""
        self._change_stats(lambda stats: add(stats, "failures", 1))

    def _change_stats(self, change: Callable[[dict[str, float]], None]) -> None:
        with self._locked():
            stats = self.stats()
            change(stats)
            lines = "".join(f"{key}={value!r}\n" for key, value in sorted(stats.items()))
            self._write_small(STATS, lines, sync=False)


DURATION_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)


def add(stats: dict[str, float], key: str, amount: float) -> None:
    """Add to a counter."""
    stats[key] = stats.get(key, 0.0) + amount


def name_of(found: Found) -> str:
    """Return the file's name on disk."""
    return os.path.basename(found.path)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable. Raises OSError."""
    with _opened(path, os.O_RDONLY | os.O_DIRECTORY) as fd:
        os.fsync(fd)


def is_held(path: str) -> bool:
    """Whether a living process holds the lock on a file, which may be missing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@contextmanager
def _opened(path: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
