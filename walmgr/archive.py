# SPDX-License-Identifier: ISC
"""archive_command: `xarchive SRC NAME` on the server, `xput` on the archive's host.

Success means durable and identical; any failure is exit code 1, which PostgreSQL answers by
trying again. Imports nothing but the standard library and its light neighbours.
"""

from __future__ import annotations

import os
import sys

from skytools.walmgr import codec
from skytools.walmgr.link import Place, quote
from skytools.walmgr.store import Archive
from skytools.walmgr.wal import WalError, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OK = 0
FAILED = 1


def archive_command(program: str, ini: str) -> str:
    """Return PostgreSQL's setting.

    A shell that does not find the program says 127, ssh says 255, a killed child 128 and more:
    each would end the archiver process uncounted, so all of them become 1.
    """
    words = " ".join(quote(word.replace("%", "%%")) for word in (program, ini))
    return f'{words} xarchive "%p" "%f" || exit {FAILED}'


def xarchive(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Archive one file; returns the exit code."""
    try:
        if len(arguments) != 2:
            raise WalError("usage: walmgr INI xarchive SRC NAME")
        source, name = arguments
        kind_of(name)
        place = Place.read(ini, program)
        if place.host:
            _send(place, source, name)
        else:
            _admit(Archive(place.completed, place.packed), source, name)
    except (WalError, OSError) as exc:
        return failed("xarchive", exc)
    return OK


def _admit(archive: Archive, source: str, name: str) -> None:
    try:
        archive.admit(source, name)
    except (WalError, OSError):
        archive.count_failure()
        raise


def _send(place: Place, source: str, name: str) -> None:
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size, digest = str(os.fstat(fd).st_size), checksum(fd)
        os.lseek(fd, 0, os.SEEK_SET)
        codec.run(place.command("xput", name, size, digest), fd, 2)
    except WalError as exc:
        raise WalError(f"{name}: host {place.host}: {exc}") from exc
    finally:
        os.close(fd)


def xput(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Admit the file that comes on standard input; returns the exit code."""
    try:
        if len(arguments) != 3:
            raise WalError("usage: walmgr INI xput NAME SIZE SHA256")
        name, size, digest = arguments
        kind_of(name)
        place = Place.read(ini, program)
        archive = Archive(place.completed, place.packed)
        with archive.incoming(name) as (fd, path):
            codec.copy(0, fd)
            if str(os.fstat(fd).st_size) != size or checksum(fd) != digest:
                raise WalError(f"{name}: arrived incomplete or damaged")
            _admit(archive, path, name)
    except (WalError, OSError) as exc:
        return failed("xput", exc)
    return OK


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
