# SPDX-License-Identifier: ISC
"""archive_command: `xarchive SRC NAME` on the server, `xput` on the archive's host.

Success means durable and identical; any failure is exit code 1, which PostgreSQL answers by
trying again. Imports nothing but the standard library and its light neighbours.

The server asks for one file at a time. When more are ready, one call takes a batch of them in, side
by side, or all by one ssh session; for each file that is safe it leaves a second link, and the next
calls end at once when they find it: a link to the very same file, not a note about it.
"""

from __future__ import annotations

import os
import sys

from skytools.walmgr import codec
from skytools.walmgr.batch import Children
from skytools.walmgr.blocks import suppress
from skytools.walmgr.link import Place, start_fast
from skytools.walmgr.store import Archive
from skytools.walmgr.wal import WalError, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OK = 0
FAILED = 1
BATCH = 24
SENT = ".walmgr-sent"  # below pg_wal: links to files that are in the archive
MAX_SIZE = 1 << 30


def archive_command(program: str, ini: str) -> str:
    """Return PostgreSQL's setting.

    A shell that does not find the program says 127, ssh says 255, a killed child 128 and more:
    each would end the archiver process uncounted, so all of them become 1.
    """
    words = start_fast(program, ini).replace("%", "%%")
    known = f'"pg_wal/{SENT}/%f"'
    return (
        f'test "%p" -ef {known} && rm -f {known} || '
        f'{words} xarchive "%p" "%f" || exit {FAILED}'
    )  # fmt: skip


def xarchive(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Archive one file, and others that wait behind it; returns the exit code."""
    try:
        if len(arguments) != 2:
            raise WalError("usage: walmgr INI xarchive SRC NAME")
        source, name = arguments
        kind_of(name)
        place = Place.read(ini, program)
        links = Links(source, name)
        if place.host:
            _send(place, source, name, links)
        else:
            _admit_batch(Archive(place.completed, place.packed), source, name, links)
    except (WalError, OSError) as exc:
        return failed("xarchive", exc)
    return OK


class Links:
    """The files behind the one that was asked for, and our marks for those that are safe."""

    def __init__(self, source: str, name: str) -> None:
        self.folder = os.path.dirname(source)
        self.marks = os.path.join(self.folder, SENT)
        self._clear()
        self.names = self._waiting(name)

    def _clear(self) -> None:
        """Whatever is here was not asked for in its turn."""
        try:
            for name in os.listdir(self.marks):
                os.unlink(os.path.join(self.marks, name))
        except FileNotFoundError:
            return

    def _waiting(self, name: str) -> list[str]:
        try:
            found = os.listdir(os.path.join(self.folder, "archive_status"))
        except OSError:
            return []
        ready = [one.removesuffix(".ready") for one in found if one.endswith(".ready")]
        # A history or backup file is asked for first, and alone.
        later = [one for one in ready if one > name and len(one) == len(name) == 24]
        return sorted(later)[: BATCH - 1]

    def path(self, name: str) -> str:
        """Return the path of a waiting file."""
        return os.path.join(self.folder, name)

    def mark(self, name: str) -> None:
        """Say that a file is in the archive."""
        with suppress(FileExistsError):
            os.mkdir(self.marks, 0o700)
        os.link(self.path(name), os.path.join(self.marks, name))


def _admit_batch(archive: Archive, source: str, name: str, links: Links) -> None:
    """Take in all; only the one that was asked for decides."""
    children = Children()

    def later(waiting: str) -> None:
        _admit(archive, links.path(waiting), waiting)
        links.mark(waiting)

    for waiting in links.names:
        children.start(lambda waiting=waiting: later(waiting))  # type: ignore[misc]
    try:
        _admit(archive, source, name)
    finally:
        children.wait()


def _admit(archive: Archive, source: str, name: str) -> None:
    try:
        archive.admit(source, name)
    except (WalError, OSError):
        with suppress(WalError, OSError):  # what went wrong first is what is told
            archive.count_failure()
        raise


def _send(place: Place, source: str, name: str, links: Links) -> None:
    """Send files to the other host in one session; each that it confirms is durable there."""
    files = [(name, source), *((one, links.path(one)) for one in links.names)]
    process = codec.Pipe(place.command("xput"))
    try:
        for one, path in files:
            _send_one(process.stdin, one, path)
    except BrokenPipeError:
        pass  # the answer says why
    except (WalError, OSError):
        process.kill()
        raise
    answers, code = process.finish()
    confirmed = {line[3:] for line in answers.splitlines() if line.startswith("ok ")}
    if name not in confirmed:
        raise WalError(f"{name}: host {place.host}: xput failed with exit code {code}")
    for one in links.names:
        if one in confirmed:
            with suppress(OSError):  # a full disk: it is asked for in its turn, and compared
                links.mark(one)


def _send_one(target: int, name: str, path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        codec.write_all(target, f"{name} {size} {checksum(fd)}\n".encode())
        codec.send(fd, target, size)
    finally:
        os.close(fd)


def xput(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Admit the files that come on standard input; each is confirmed by a line "ok NAME"."""
    try:
        if arguments:
            raise WalError("usage: walmgr INI xput, with NAME SIZE SHA256 before each file")
        place = Place.read(ini, program)
        archive = Archive(place.completed, place.packed)
        children = Children()
        try:
            for name, digest, fd, path in _incoming(archive):
                children.start(lambda n=name, d=digest, f=fd, p=path: _put(archive, n, d, f, p))  # type: ignore[misc]
                os.close(fd)  # from now on the child has it, and its lock
        finally:
            code = children.wait()
    except (WalError, OSError) as exc:
        return failed("xput", exc)
    return FAILED if code else OK


def _incoming(archive: Archive) -> Iterator[tuple[str, str, int, str]]:
    """Yield name, checksum, open file and its path for each file on standard input."""
    while line := codec.read_line(0):
        words = line.split()
        if len(words) != 3 or not words[1].isdecimal() or int(words[1]) > MAX_SIZE:
            raise WalError(f"{line!r} is not like NAME SIZE SHA256")
        name, size, digest = words
        kind_of(name)
        fd, path = archive.open_incoming(name)
        try:
            codec.receive(0, fd, int(size))
        except BaseException:
            os.unlink(path)
            os.close(fd)
            raise
        yield name, digest, fd, path


def _put(archive: Archive, name: str, digest: str, fd: int, path: str) -> None:
    try:
        if checksum(fd) != digest:
            raise WalError(f"{name}: arrived damaged")
        _admit(archive, path, name)
    finally:
        os.unlink(path)
    os.write(1, f"ok {name}\n".encode())


def checksum(fd: int) -> str:
    """Return the SHA-256 of a file."""
    import hashlib

    digest, at = hashlib.sha256(), 0
    while data := os.pread(fd, codec.CHUNK, at):
        digest.update(data)
        at += len(data)
    return digest.hexdigest()


def failed(verb: str, exc: Exception, code: int = FAILED) -> int:
    """Tell why on one line and return the exit code."""
    text = str(exc)
    if isinstance(exc, OSError):
        text = f"{exc.filename or 'archive'}: {exc.strerror or exc}"
    sys.stderr.write(f"walmgr {verb}: {text}\n")
    return code
