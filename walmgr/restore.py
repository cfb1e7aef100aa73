# SPDX-License-Identifier: ISC
"""restore_command: `xrestore NAME DST`, and `xget` on the archive's host.

PostgreSQL reads exit codes 1 to 125 as "there is no such file", which ends recovery and opens the
database. So absence has a code of its own that no interpreter, shell or ssh produces by failing,
and the generated command turns everything else into an abort (recovery) or a retry (standby).
"""

from __future__ import annotations

import os
import sys
import time

from skytools.walmgr import codec
from skytools.walmgr.archive import failed
from skytools.walmgr.link import Place, quote
from skytools.walmgr.store import Archive, check_content, is_held
from skytools.walmgr.wal import SEGMENT, WalError, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
    143 is the server's own SIGTERM.
    """
    words = " ".join(quote(word.replace("%", "%%")) for word in (program, ini))
    other = 1 if standby else BROKEN
    return (
        f'{words} xrestore "%f" "%p" "%r"; case $? in {PRESENT}) exit 0;; {ABSENT}) exit 1;; '
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
        if place.host:
            return _fetch(place, name, target)
        _wait_while_paused(place)
        archive = Archive(place.completed)
        if (found := archive.find(name)) is not None:
            archive.extract(found, target)
            return PRESENT
        return _final(place, name, target)
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
        path = os.path.join(place.partials, source)
        if os.path.exists(path):
            _copy(path, name, target)
            return PRESENT
    return ABSENT


def _copy(path: str, name: str, target: str) -> None:
    aside = f"{target}.walmgr"
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        codec.copy(source, fd)
        check_content(fd, name, 0)
        os.rename(aside, target)
    finally:
        os.close(source)
        os.close(fd)


def _fetch(place: Place, name: str, target: str) -> int:
    """Get a file from the archive's host; only its own word for absence counts as that."""
    aside = f"{target}.walmgr"
    fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        code = codec.exit_code(place.command("xget", name), 0, fd)
        if code == ABSENT:
            return ABSENT
        if code != 0:
            raise WalError(f"{name}: host {place.host}: xget failed with exit code {code}")
        check_content(fd, name, 0)
        os.rename(aside, target)
        return PRESENT
    finally:
        os.close(fd)
        if os.path.exists(aside):
            os.unlink(aside)


def xget(ini: str, program: str, arguments: Sequence[str]) -> int:
    """Write an archived file to standard output; returns the exit code."""
    try:
        if len(arguments) != 1:
            raise WalError("usage: walmgr INI xget NAME")
        name = arguments[0]
        kind_of(name)
        archive = Archive(Place.read(ini, program).completed)
        if (found := archive.find(name)) is None:
            return ABSENT
        source = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
        codec.expand(found.codec, source, sys.stdout.fileno())
    except (WalError, OSError) as exc:
        return failed("xget", exc, BROKEN)
    return PRESENT
