# SPDX-License-Identifier: ISC
"""Loading the pieces of a table: here one after the other, or by several processes at a time."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import IO

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError, TransientError
from skytools.core.faultpoint import reach
from skytools.daemons.londiste.copy import session
from skytools.daemons.londiste.copy.columns import Mapping, copy_in, copy_out
from skytools.daemons.londiste.copy.pipe import RowFilter, copy_across
from skytools.daemons.londiste.copy.progress import Progress
from skytools.daemons.londiste.copy.ranges import Piece

STREAM_MODULE = "skytools.daemons.londiste.copy.stream"
LOOK_SECONDS = 0.25
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a process that loads must know: connect strings, snapshot, statement, encoding."""

    source: str
    dest: str
    snapshot: str
    into: str
    encoding: str
    name: str


@dataclass(frozen=True, slots=True)
class Work:
    """All of a load: pieces of the source, the columns, the table here, a condition on rows."""

    pieces: Sequence[Piece]
    mapping: Mapping
    dest: str
    condition: str | None = None

    def out(self, piece: Piece) -> sql.Composable:
        """Return the statement that reads a piece."""
        return copy_out(self.mapping, piece.source, piece.where(self.condition))

    @property
    def into(self) -> sql.Composable:
        """The statement that loads a piece."""
        return copy_in(self.dest, self.mapping)


def load_here(
    source: Database,
    dest: Database,
    work: Work,
    progress: Progress,
    change: RowFilter | None = None,
) -> None:
    """Load all pieces in the open transaction of the destination."""
    for piece in work.pieces:
        rows = copy_across(
            source, work.out(piece), dest, work.into, change=change, moved=progress.moved
        )
        progress.done(piece.size, rows)
        reach("copy-piece")


class _Stream:
    """One process that loads, and the piece it has."""

    def __init__(self, order: Order) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", STREAM_MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.piece: Piece | None = None
        self._unread = b""
        self.send(asdict(order))

    @property
    def answers(self) -> IO[bytes]:
        """What the process writes."""
        assert self.process.stdout is not None
        return self.process.stdout

    def lines(self) -> list[bytes]:
        """Read what there is; return the lines that are complete."""
        data = self.answers.read(1 << 16)
        if not data:
            raise TransientError("a process of the copy has ended")
        *lines, self._unread = (self._unread + data).split(b"\n")
        return lines

    def send(self, line: object) -> None:
        """Send a line. Raises TransientError when the process has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
        except OSError as exc:
            raise TransientError("a process of the copy has ended") from exc

    def end(self) -> None:
        """End the process; a load that is under way is rolled back by the server."""
        self.process.kill()
        self.process.wait(END_SECONDS)
        self.answers.close()
        if self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except OSError:
                return  # what was not sent yet went to nobody


def load_parallel(
    source: Database,
    order: Order,
    work: Work,
    progress: Progress,
    *,
    connections: int,
    look: Callable[[], None],
) -> None:
    """Load the pieces by several processes; each piece is committed by itself.

    `source` holds the snapshot. `look` is called a few times a second; what it raises ends the
    load. Raises the first error of a process.
    """
    todo = list(reversed(work.pieces))
    streams = [_Stream(order) for _ in range(min(connections, len(todo)))]
    busy = len(streams)
    with selectors.DefaultSelector() as selector:
        try:
            for stream in streams:
                selector.register(stream.answers, selectors.EVENT_READ, stream)
                _give(source, stream, work, todo)
            while busy:
                for key, _ in selector.select(LOOK_SECONDS):
                    if _answered(key.data, progress):
                        reach("copy-piece")
                        if not _give(source, key.data, work, todo):
                            selector.unregister(key.data.answers)
                            busy -= 1
                look()
        finally:
            for stream in streams:
                stream.end()


def _give(source: Database, stream: _Stream, work: Work, todo: list[Piece]) -> bool:
    """Give a process its next piece; false when there is none."""
    if not todo:
        return False
    stream.piece = todo.pop()
    stream.send({"out": source.text(work.out(stream.piece))})
    return True


def _answered(stream: _Stream, progress: Progress) -> bool:
    """Read what a process says; true when its piece is loaded."""
    loaded = False
    for answer in map(json.loads, stream.lines()):
        if "error" in answer:
            kind = TransientError if answer["transient"] else SkytoolsError
            raise kind(answer["error"])
        progress.moved(answer["moved"])
        if "rows" in answer:
            assert stream.piece is not None
            progress.done(stream.piece.size, answer["rows"])
            loaded = True
    return loaded


def order_for(source: Database, dest: Database, work: Work, snapshot: str, name: str) -> Order:
    """Return the order for processes that load as these two connections would."""
    return Order(
        source=source.conninfo,
        dest=dest.conninfo,
        snapshot=snapshot,
        into=dest.text(work.into),
        encoding=session.server_encoding(source),
        name=name,
    )
