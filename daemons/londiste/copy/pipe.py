# SPDX-License-Identifier: ISC
"""One COPY from one server into another, without looking at the bytes, in bounded memory.

A thread reads the source into a pipe, the caller's thread loads from the pipe. What is on the
way is what fits into the pipe and the driver's buffers of one row.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError

PIPE_BYTES = 1 << 20
CHUNK_BYTES = 1 << 18
CANCEL_SECONDS = 10.0

# A row of COPY text, with its newline -> the row to load.
RowFilter = Callable[[bytes], bytes]
Progress = Callable[[int], None]


def copy_across(
    source: Database,
    out: sql.Composable,
    dest: Database,
    into: sql.Composable,
    *,
    change: RowFilter | None = None,
    moved: Progress = lambda _: None,
) -> int:
    """Run `out` on the source and load what it gives by `into`; returns the rows loaded.

    `moved` is told the bytes as they go. Commits nothing. An error of the source is raised in
    preference to that of the load, which it causes. The source connection is closed on errors.
    """
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):  # a limit of the system: a smaller pipe does
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    outlet = _Outlet(source, out, writer, change)
    inlet = _Inlet(reader, outlet, moved)
    outlet.start()
    try:
        rows = dest.copy(into, inlet, CHUNK_BYTES)
    except SkytoolsError as exc:
        outlet.stop(inlet)
        # The load was broken off because of something else: that is what to tell.
        raise outlet.error or inlet.error or exc from None
    except BaseException:
        outlet.stop(inlet)
        raise
    inlet.close()
    outlet.join()
    return rows


class _Outlet(threading.Thread):
    """Reads the source into the pipe. `error` is what the source said, when it failed."""

    def __init__(
        self, source: Database, out: sql.Composable, writer: int, change: RowFilter | None
    ) -> None:
        super().__init__(name="copy-out", daemon=True)
        self.source = source
        self.out = out
        self.file = os.fdopen(writer, "wb", buffering=CHUNK_BYTES)
        self.stream = self.file if change is None else _Changer(self.file, change)
        self.error: SkytoolsError | None = None
        self.complete = False

    def run(self) -> None:
        """Copy until the source has no more, or the reader has gone."""
        try:
            self.source.copy(self.out, self.stream)
            self.file.flush()
            self.complete = True
        except SkytoolsError as exc:
            self.error = exc
        except OSError:
            self.complete = False  # the reader has gone and says why
        finally:
            with contextlib.suppress(OSError):
                self.file.close()

    def stop(self, inlet: _Inlet) -> None:
        """End the thread after a failure; its connection has no use any more."""
        failed = self.error
        inlet.close()
        deadline = time.monotonic() + CANCEL_SECONDS
        while self.is_alive() and time.monotonic() < deadline:
            self.source.cancel()
            self.join(0.2)
        self.source.close()
        self.error = failed


class _Inlet:
    """What the load reads from. Ends in an error when the source did not come to its end."""

    def __init__(self, reader: int, outlet: _Outlet, moved: Progress) -> None:
        self._file: io.FileIO | None = io.FileIO(reader, "rb")
        self._outlet = outlet
        self._moved = moved
        self.error: SkytoolsError | None = None  # what `moved` has raised

    def read(self, size: int) -> bytes:
        """Return what there is, at most `size` bytes; nothing at the end of a complete copy."""
        assert self._file is not None
        data = self._file.read(size)
        if data:
            try:
                self._moved(len(data))
            except SkytoolsError as exc:
                self.error = exc
                raise
            return data
        self._outlet.join()
        if not self._outlet.complete:
            raise SkytoolsError("the source ended early")
        return b""

    def close(self) -> None:
        """Let go of the pipe, so that the other end notices."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Changer:
    """A stream that changes each row: the driver writes one row at a time."""

    def __init__(self, file: BinaryIO, change: RowFilter) -> None:
        self._file = file
        self._change = change

    def write(self, row: bytes) -> int:
        """Pass a row on."""
        self._file.write(self._change(row))
        return len(row)
