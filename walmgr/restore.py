# SPDX-License-Identifier: ISC
"""restore_command: `xrestore NAME DST`, and `xget` on the archive's host.

PostgreSQL reads exit codes 1 to 125 as "there is no such file", which ends recovery and opens the
database. So absence has a code of its own that no interpreter, shell or ssh produces by failing,
and the generated command turns everything else into an abort (recovery) or a retry (standby).
"""

from __future__ import annotations

import os
import time

from skytools.walmgr import codec
from skytools.walmgr.ahead import Spool
from skytools.walmgr.archive import failed
from skytools.walmgr.link import Place, start_fast
from skytools.walmgr.page import check_content
from skytools.walmgr.store import Archive, Found, is_held
from skytools.walmgr.wal import SEGMENT, WalError, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PRESENT = 0
ABSENT = 44
BROKEN = 126
FINAL = ".final"  # of a partial segment that `boot` has chosen to end recovery with

# Markers in the archive. Source: Skytools 3; STOP used to lose against PAUSE.
PAUSE = "PAUSE"
STOP = "STOP"
PAUSE_POLL = 1.0


def restore_command(program: str, ini: str, *, standby: bool) -> str:
    """Return PostgreSQL's setting.

    A standby tries again after a failure; a recovery to the end must not mistake it for the end.
    143 is the server's own SIGTERM. No %r: pg_rewind runs it too, and refuses that.
    """
    words = start_fast(program, ini).replace("%", "%%")
    other = 1 if standby else BROKEN
    return (
        f'{words} xrestore "%f" "%p"; case $? in {PRESENT}) exit 0;; {ABSENT}) exit 1;; '
        f"143) exit 143;; *) exit {other};; esac"
    )


def xrestore(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Put an archived file at DST; returns the exit code. A third argument is ignored."""
    try:
        if len(arguments) not in (2, 3):
            raise WalError("usage: walmgr INI xrestore NAME DST")
        name, target = arguments[0], arguments[1]
        kind_of(name)
        place = Place.read(ini, program)
        spool = Spool(target, name)
        if not place.host:
            _wait_while_paused(place)
        if spool.take(name, target):
            return PRESENT
        get = _fetch if place.host else _take
        code = get(place, name, target, spool)
        if code == ABSENT:
            spool.clear()
        return code
    except (WalError, OSError) as exc:
        return failed("xrestore", exc, BROKEN)


def _wait_while_paused(place: Place) -> None:
    """Hold a warm standby; ends with the marker, with STOP, or with the server."""
    server = os.getppid()
    pause, stop = (os.path.join(place.completed, name) for name in (PAUSE, STOP))
    while os.path.exists(pause) and not os.path.exists(stop) and os.getppid() == server:
        time.sleep(PAUSE_POLL)


def _final(place: Place, name: str, target: str) -> int:
    """Serve the unfinished last segment when STOP asks for it.

    The one that `boot` has chosen counts only while `boot` lives and holds STOP locked.
    """
    stop = os.path.join(place.completed, STOP)
    if kind_of(name) != SEGMENT or not os.path.exists(stop):
        return ABSENT
    for source in [name + FINAL, name] if is_held(stop) else [name]:
        try:
            fd = os.open(os.path.join(place.partials, source), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        _copy(fd, name, target)
        return PRESENT
    return ABSENT


def _copy(source: int, name: str, target: str) -> None:
    try:
        with codec.appearing(target) as fd:
            codec.copy(source, fd)
            check_content(fd, name, 0, whole=False)
    finally:
        os.close(source)


def _take(place: Place, name: str, target: str, spool: Spool) -> int:
    """Get a file of this machine's archive; the next ones are unpacked meanwhile."""
    archive = Archive(place.completed)
    if (found := archive.find(name)) is None:
        return _final(place, name, target)
    names = spool.following(name) if found.codec != "none" else []
    if names:
        spool.begin(names, lambda path_of: _unpack(archive, names, path_of))
    archive.extract(found, target)
    return PRESENT


def _unpack(archive: Archive, names: Sequence[str], path_of: Callable[[str], str]) -> None:
    for name in names:
        if (found := archive.find(name)) is None:
            return
        archive.extract(found, path_of(name))


def _fetch(place: Place, name: str, target: str, spool: Spool) -> int:
    """Get a file from the archive's host; only its own word for absence counts as that."""
    names = spool.following(name)
    source = codec.Source(place.command("xget", name, *names))
    if _receive(source.stdout, name, target):
        if names:
            spool.begin(names, lambda path_of: _receive_all(source.stdout, names, path_of))
        else:
            source.finish()
        return PRESENT
    code = source.finish()
    if code != ABSENT:
        raise WalError(f"{name}: host {place.host}: xget failed with exit code {code}")
    return ABSENT


def _receive_all(source: int, names: Sequence[str], path_of: Callable[[str], str]) -> None:
    for name in names:
        if not _receive(source, name, path_of(name)):
            return


def _receive(source: int, name: str, target: str) -> bool:
    """Read one file of what xget writes; False when it is absent, or nothing comes at all."""
    words = codec.read_line(source).split()
    if len(words) != 2 or words[0] != name or not words[1].isdecimal():
        return False
    with codec.appearing(target) as fd:
        codec.receive(source, fd, int(words[1]))
        check_content(fd, name, 0)
    return True


def xget(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Write archived files to standard output, each after a line NAME SIZE, up to the first absent.

    Returns the exit code: that of the first.
    """
    try:
        if not arguments:
            raise WalError("usage: walmgr INI xget NAME...")
        for name in arguments:
            kind_of(name)
        archive = Archive(Place.read(ini, program).completed)
        for number, name in enumerate(arguments):
            if (found := archive.find(name)) is None:
                codec.write_all(1, f"{name} absent\n".encode())
                return PRESENT if number else ABSENT
            _write_out(archive, found)
    except BrokenPipeError:
        return PRESENT  # the other side has what it wanted
    except (WalError, OSError) as exc:
        return failed("xget", exc, BROKEN)
    return PRESENT


def _write_out(archive: Archive, found: Found) -> None:
    fd = os.memfd_create(found.name, os.MFD_CLOEXEC)
    try:
        archive.expand(found, fd)
        size = os.fstat(fd).st_size
        codec.write_all(1, f"{found.name} {size}\n".encode())
        codec.send(fd, 1, size)
    finally:
        os.close(fd)
