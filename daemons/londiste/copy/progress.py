# SPDX-License-Identifier: ISC
"""How far a load is: rows, bytes, what is left; a line for people, and a bar on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from skytools.core.cli import duration
from skytools.daemons.londiste.progress import human_bytes

BAR_CHARS = 24
REPORT_SECONDS = 0.25


@dataclass(slots=True)
class Progress:
    """Counts of one load. `source_bytes` and `source_rows` are estimates from the catalog."""

    table: str
    source_bytes: int = 0
    source_rows: int = 0
    report: Callable[[Progress], None] = lambda _: None
    now: Callable[[], float] = time.monotonic
    rows: int = 0
    bytes: int = 0
    phase: str = "copying"
    started: float = 0.0
    _pieces: int = field(default=0)  # source bytes of the pieces that are done
    _in_pieces: int = field(default=0)  # bytes moved when the last of them was done
    _reported: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.started = self.now()

    def moved(self, count: int) -> None:
        """Count bytes on their way."""
        self.bytes += count
        if self.now() - self._reported >= REPORT_SECONDS:
            self.tell()

    def done(self, source_bytes: int, rows: int) -> None:
        """Count a piece that was loaded."""
        self.rows += rows
        self._pieces += source_bytes
        self._in_pieces = self.bytes
        self.tell()

    def enter(self, phase: str) -> None:
        """Say what is done now."""
        self.phase = phase
        self.tell()

    def tell(self) -> None:
        """Report, whenever the last time was."""
        self._reported = self.now()
        self.report(self)

    @property
    def fraction(self) -> float:
        """The part that is done, by bytes; what a byte of the source becomes is learnt."""
        if self.source_bytes <= 0:
            return 0.0
        ratio = self._in_pieces / self._pieces if self._pieces and self._in_pieces else 1.0
        return min(1.0, self.bytes / ratio / self.source_bytes)

    @property
    def eta(self) -> float | None:
        """Seconds that are left, None while that is not known."""
        part, spent = self.fraction, self.now() - self.started
        if part <= 0.01 or spent < 0.5:
            return None
        return spent * (1 - part) / part

    @property
    def rows_so_far(self) -> int:
        """Rows loaded; those of pieces under way are guessed from their bytes."""
        if self.phase != "copying" or not self.source_rows:
            return self.rows
        return max(self.rows, int(self.fraction * self.source_rows))

    def line(self) -> str:
        """Return one line for people."""
        if self.phase != "copying":
            return f"{self.table}: {self.phase}, {self.rows} rows, {human_bytes(self.bytes)}"
        left = f", {duration(self.eta)} left" if self.eta is not None else ""
        return (
            f"{self.table}: {self.fraction:.0%} copied,"
            f" {self.rows_so_far} rows, {human_bytes(self.bytes)}{left}"
        )


class Bar:
    """Draws progress on one line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0

    def draw(self, progress: Progress) -> None:
        """Draw the line anew."""
        part = progress.fraction if progress.phase == "copying" else 1.0
        full = int(part * BAR_CHARS)
        text = f"[{'#' * full}{'.' * (BAR_CHARS - full)}] {progress.line()}"
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def end(self) -> None:
        """Leave the line as it is."""
        if self._width:
            self._stream.write("\n")
            self._width = 0
