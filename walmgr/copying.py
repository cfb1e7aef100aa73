# SPDX-License-Identifier: ISC
"""Copies of folders: by two threads, shared blocks where the system can, on their way to disk.

A folder can be followed while pg_basebackup still fills it: that writes each file from its
beginning to its end, so what is there stays as it is.

Large pieces of a followed folder go past the system's cache, which has the original: that takes
next to no time of a processor while server and pg_basebackup need both. What a restored server
replays into is better in the cache.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from skytools.walmgr.errors import ProgramError

PIECE = 16 << 20  # what one thread copies at a time
ALIGNED = 1 << 20  # whole blocks of any file system, so that they can be shared
BUFFER = 1 << 20
THREADS = 2
PAUSE = 0.02  # s between two looks at a folder that grows,
LOOKING = 4  # or this much longer than a look takes
RESTED = 0.05  # s: what nobody has written for so long is copied up to its end, else up to ALIGNED
WRITTEN_ANYHOW = ("pg_wal", "backup_manifest", "backup_manifest.tmp")  # not front to back
START_WRITING = 2  # SYNC_FILE_RANGE_WRITE
SHARE = 0x4020940D  # FICLONERANGE
NOT_POSSIBLE = (
    *(errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ENOTTY),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file that are to be copied."""

    source: str
    target: str
    start: int
    size: int


@dataclass(slots=True)
class FolderCopy:
    """Pairs of folders, source and target; the targets are made. Its calls raise OSError."""

    pairs: Sequence[tuple[Path, Path]]
    direct: bool = False  # past the cache
    _copied: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def follow(self) -> float:
        """Copy what has come since the last look, of files that only grow at their end.

        Returns how many seconds the look took.
        """
        began = time.monotonic()
        there = [(str(source), str(target)) for source, target in self.pairs if source.is_dir()]
        pieces = [piece for one in there for piece in self._pieces(*one, following=True)]
        seconds = time.monotonic() - began
        for piece in pieces:
            _copy(piece, self.direct)
        return seconds

    def finish(self) -> None:
        """Copy all that is missing; nobody writes any more."""
        for source, target in self.pairs:
            pieces = list(self._pieces(str(source), str(target), following=False))
            with ThreadPoolExecutor(THREADS) as pool:
                for _ in pool.map(lambda piece: _copy(piece, self.direct), pieces):
                    pass

    def _pieces(self, source: str, target: str, *, following: bool) -> Iterator[Piece]:
        """Make folders and links; give what is to be copied of the files."""
        _make_folder(Path(target), Path(source).stat().st_mode)
        with os.scandir(source) as entries:
            found = list(entries)
        for entry in found:
            if following and entry.name in WRITTEN_ANYHOW:
                continue
            there = f"{target}/{entry.name}"
            if entry.is_symlink():
                if not os.path.lexists(there):
                    Path(there).symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                yield from self._pieces(entry.path, there, following=following)
            else:
                yield from self._of_file(entry, there, following=following)

    def _of_file(self, entry: os.DirEntry[str], target: str, *, following: bool) -> Iterator[Piece]:
        try:
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            if following:
                return  # renamed meanwhile
            raise
        end, start = info.st_size, self._copied.get(entry.path)
        if end < (start or 0):
            raise OSError(errno.EIO, "became shorter while it was copied", entry.path)
        if following and self._seen.get(entry.path) != end and time.time() - info.st_mtime < RESTED:
            self._seen[entry.path] = end
            end -= end % ALIGNED
            if end <= (start or 0):
                return
        if start is None:
            # Made here, so that two threads never do.
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(fd, stat.S_IMODE(info.st_mode))
            finally:
                os.close(fd)
            start = 0
        self._copied[entry.path] = end
        while start < end:
            size = min(PIECE - start % PIECE, end - start)
            yield Piece(entry.path, target, start, size)
            start += size


class Follower:
    """A copy of folders that begins while they are written."""

    def __init__(self, pairs: Sequence[tuple[Path, Path]]) -> None:
        self._copy = FolderCopy(pairs, direct=True)
        self._ends = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to look for files."""
        self._thread.start()

    def stop(self) -> None:
        """End it; the copy stays as far as it is."""
        self._ends.set()
        self._thread.join()

    def finish(self) -> None:
        """Copy the rest, once nobody writes any more. Raises ProgramError."""
        self.stop()
        if self._error is not None:
            raise self._error
        with _telling():
            self._copy.finish()

    def _work(self) -> None:
        pause = PAUSE
        try:
            while not self._ends.wait(pause):
                with _telling():
                    pause = max(PAUSE, self._copy.follow() * LOOKING)
        except ProgramError as exc:
            self._error = exc


def copy_folders(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Copy folders with all that is in them. Raises ProgramError, with the name of a file."""
    with _telling():
        FolderCopy(pairs).finish()


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ProgramError(f"{exc.filename or 'copy'}: {exc.strerror or exc}") from exc


def _make_folder(path: Path, mode: int) -> None:
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        path.chmod(stat.S_IMODE(mode))


def _copy(piece: Piece, direct: bool) -> None:
    """Copy bytes of a file, and have them written to disk without waiting for it."""
    source = os.open(piece.source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(piece.target, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if not _shared(source, target, piece):
                done = _written_directly(source, piece) if direct else 0
                _copy_range(source, target, piece, done)
            if piece.size >= ALIGNED:
                start_writing(source, piece.start, piece.size)
                start_writing(target, piece.start, piece.size)
        finally:
            os.close(target)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, piece.target) from exc
    finally:
        os.close(source)


def _shared(source: int, target: int, piece: Piece) -> bool:
    """Have both files share the blocks; False where the file system cannot."""
    if piece.size < ALIGNED:
        return False
    wanted = struct.pack("=qQQQ", source, piece.start, piece.size, piece.start)
    try:
        fcntl.ioctl(target, SHARE, wanted)
    except OSError as exc:
        if exc.errno in NOT_POSSIBLE:
            return False
        raise
    return True


def _written_directly(source: int, piece: Piece) -> int:
    """Write from the source's pages to disk; returns how many bytes, 0 where that is impossible."""
    size = piece.size - piece.size % mmap.PAGESIZE
    # One that begins within a page follows on what was there of its file.
    if piece.size < ALIGNED or piece.start % mmap.PAGESIZE:
        return 0
    try:
        target = os.open(piece.target, os.O_WRONLY | os.O_CLOEXEC | os.O_DIRECT)
    except OSError as exc:
        if exc.errno in NOT_POSSIBLE:
            return 0
        raise
    try:
        with (
            mmap.mmap(source, size, prot=mmap.PROT_READ, offset=piece.start) as pages,
            memoryview(pages) as view,
        ):
            pages.madvise(mmap.MADV_WILLNEED)
            return _write_pages(target, view, piece.start)
    except ValueError as exc:
        raise OSError(errno.EIO, "became shorter while it was copied", piece.source) from exc
    finally:
        os.close(target)


def _write_pages(target: int, view: memoryview, start: int) -> int:
    done = 0
    while done < len(view):
        try:
            done += os.pwrite(target, view[done:], start + done)
        except OSError as exc:
            if exc.errno not in NOT_POSSIBLE:
                raise
            break
    return done


def _copy_range(source: int, target: int, piece: Piece, done: int) -> None:
    at, end = piece.start + done, piece.start + piece.size
    while at < end:
        try:
            some = os.copy_file_range(source, target, end - at, at, at)
        except OSError as exc:
            if exc.errno not in NOT_POSSIBLE:
                raise
            some = os.pwrite(target, os.pread(source, min(BUFFER, end - at), at), at)
        if some == 0:
            raise OSError(errno.EIO, "became shorter while it was copied", piece.source)
        at += some


_libc = ctypes.CDLL(None, use_errno=True)


def start_writing(fd: int, start: int, size: int) -> None:
    """Have a file's bytes written to disk from now on. A hint: what must be durable is synced."""
    call = getattr(_libc, "sync_file_range", None)
    if call is not None:
        call.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
        call(fd, start, size, START_WRITING)
