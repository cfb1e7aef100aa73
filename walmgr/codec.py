# SPDX-License-Identifier: ISC
"""Compression of archived files: gzip by the interpreter, zstd and lz4 by library or program.

Every format carries a checksum of the content, so a damaged file is noticed when it is read.
"""

from __future__ import annotations

import os

from skytools.walmgr.blocks import contextmanager, suppress
from skytools.walmgr.wal import WalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from skytools.walmgr.packing import Lz4, Zstd

SUFFIXES = {"none": "", "gzip": ".gz", "lz4": ".lz4", "zstd": ".zst"}
_COMPRESS = {
    "zstd": ("zstd", "-q", "-1", "--check", "-c"),
    "lz4": ("lz4", "-q", "-1", "-c"),
}
_GZIP_LEVEL = 1
CHUNK = 1 << 20
_libraries: dict[str, Zstd | Lz4 | None] = {}
MAX_LINE = 1000


def compress(codec: str, source: int, target: int) -> None:
    """Copy a file descriptor to another, compressed. Raises WalError or OSError."""
    if codec == "none":
        copy(source, target)
    elif codec == "gzip":
        import zlib

        _through(zlib.compressobj(_GZIP_LEVEL, wbits=31), source, target)
    else:
        (_library(codec) or Program(codec)).compress(source, target)


def expand(codec: str, source: int, target: int) -> None:
    """Copy a compressed file descriptor to another in the clear. Raises WalError or OSError."""
    if codec == "none":
        copy(source, target)
    elif codec == "gzip":
        _gunzip(source, target)
    else:
        (_library(codec) or Program(codec)).expand(source, target)


def _library(codec: str) -> Zstd | Lz4 | None:
    """Return the codec's library; None where it is missing. Loaded by those who compress only."""
    if codec not in _libraries:
        from skytools.walmgr import packing

        _libraries[codec] = packing.find(codec)
    return _libraries[codec]


class Program:
    """zstd and lz4 where their libraries are missing. Raises WalError, OSError."""

    def __init__(self, codec: str) -> None:
        self._codec = codec

    def compress(self, source: int, target: int) -> None:
        """Copy the rest of a file to another, compressed."""
        run(_COMPRESS[self._codec], source, target)

    def expand(self, source: int, target: int) -> None:
        """Copy the rest of a compressed file to another in the clear."""
        run((self._codec, "-q", "-d", "-c"), source, target)


def copy(source: int, target: int) -> None:
    """Copy the rest of a file, inside the kernel where it can (shared blocks on btrfs and xfs)."""
    if not _copied_in_kernel(source, target):
        while data := os.read(source, CHUNK):
            write_all(target, data)


def _copied_in_kernel(source: int, target: int) -> bool:
    import stat

    if not all(stat.S_ISREG(os.fstat(fd).st_mode) for fd in (source, target)):
        return False
    left = os.fstat(source).st_size - os.lseek(source, 0, os.SEEK_CUR)
    try:
        while left > 0:
            done = os.copy_file_range(source, target, left)
            if done == 0:
                break
            left -= done
    except OSError as exc:
        import errno

        # Other file systems, old kernels: what is left goes through this process.
        if exc.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return left <= 0


@contextmanager
def appearing(target: str) -> Iterator[int]:
    """Give a file to be written: it has its name only when the block is through. Not synced."""
    aside = f"{target}.walmgr"
    fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try:
            yield fd
        finally:
            os.close(fd)
        os.rename(aside, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(aside)


def write_all(target: int, data: bytes) -> None:
    """Write to the last byte."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _gunzip(source: int, target: int) -> None:
    import zlib

    machine = zlib.decompressobj(wbits=31)
    try:
        _through(machine, source, target)
    except zlib.error as exc:
        raise WalError(f"damaged gzip file: {exc}") from exc
    if not machine.eof:
        raise WalError("damaged gzip file: it ends too early")


def _through(machine: object, source: int, target: int) -> None:
    step = machine.compress if hasattr(machine, "compress") else machine.decompress  # type: ignore[attr-defined]
    while data := os.read(source, CHUNK):
        write_all(target, step(data))
    write_all(target, machine.flush())  # type: ignore[attr-defined]


def run(command: Sequence[str], source: int, target: int) -> None:
    """Run a program from one descriptor to another. Raises WalError when it fails."""
    code = exit_code(command, source, target)
    if code != 0:
        raise WalError(f"{command[0]} failed with exit code {code}")


def exit_code(command: Sequence[str], source: int, target: int) -> int:
    """Run a program from one descriptor to another; a signal counts as negative exit code.

    Raises OSError when it cannot be started.
    """
    actions = [(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, target, 1)]
    try:
        pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=actions)
    except OSError as exc:
        text = f"cannot be run, is it installed? ({exc.strerror})"
        raise OSError(exc.errno, text, command[0]) from exc
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Pipe:
    """A program that reads what we write and says something short; its errors go to ours."""

    def __init__(self, command: Sequence[str]) -> None:
        theirs, self.stdin = os.pipe()
        self._out, out = os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs, 0), (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_CLOSE, self.stdin), (os.POSIX_SPAWN_CLOSE, self._out),
        ]  # fmt: skip
        try:
            self._pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=actions)
        except OSError as exc:
            text = f"cannot be run, is it installed? ({exc.strerror})"
            raise OSError(exc.errno, text, command[0]) from exc
        finally:
            os.close(theirs)
            os.close(out)

    def finish(self) -> tuple[str, int]:
        """End its input; return all that it said, and its exit code."""
        os.close(self.stdin)
        said = bytearray()
        while data := os.read(self._out, 65536):
            said += data
        os.close(self._out)
        return said.decode("ascii", "replace"), _ended(self._pid)

    def kill(self) -> None:
        """End it."""
        import signal

        os.kill(self._pid, signal.SIGKILL)
        self.finish()


class Source:
    """A program whose output we read."""

    def __init__(self, command: Sequence[str]) -> None:
        self.stdout, out = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_CLOSE, self.stdout)]
        try:
            self.pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=actions)
        except OSError as exc:
            text = f"cannot be run, is it installed? ({exc.strerror})"
            raise OSError(exc.errno, text, command[0]) from exc
        finally:
            os.close(out)

    def finish(self) -> int:
        """Return its exit code."""
        os.close(self.stdout)
        return _ended(self.pid)


def _ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read_line(fd: int) -> str:
    """Return the next line, empty at the end; reads not a byte more. Raises WalError."""
    line = bytearray()
    while byte := os.read(fd, 1):
        if byte == b"\n":
            return line.decode("ascii", "replace")
        line += byte
        if len(line) > MAX_LINE:
            raise WalError("the other host says something that we do not understand")
    if line:
        raise WalError("arrived incomplete")
    return ""


def receive(source: int, target: int, size: int) -> None:
    """Copy `size` bytes. Raises WalError when fewer come."""
    while size > 0:
        data = os.read(source, min(size, CHUNK))
        if not data:
            raise WalError("arrived incomplete")
        write_all(target, data)
        size -= len(data)


def send(source: int, target: int, size: int) -> None:
    """Copy the first `size` bytes of a file. Raises WalError when it has fewer."""
    os.lseek(source, 0, os.SEEK_SET)
    receive(source, target, size)
