# SPDX-License-Identifier: ISC
"""The live view: a table redrawn in place on a terminal, else a line every few seconds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from examples.demo.figures import WINDOW, Figures

BARS = "▁▂▃▄▅▆▇█"
BOLD, DIM, GREEN, RED, YELLOW = "1", "2", "32", "31", "33"
REDRAW_SECONDS = 0.25
LINE_SECONDS = 5.0

JOB_COLUMNS = ("job", "service", "state", "ready", "restarts", "pid", "up", "status")


class View:
    """Shows figures. `redraws` says how: a table in place, or plain lines."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.redraws = self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.redraws and "NO_COLOR" not in os.environ
        self._drawn = 0

    @property
    def interval(self) -> float:
        """Seconds between two pictures."""
        return REDRAW_SECONDS if self.redraws else LINE_SECONDS

    def paint(self, text: str, *codes: str) -> str:
        """Colour a text, where the terminal can."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colours else text

    def say(self, text: str = "", end: str = "\n") -> None:
        """Write a line below everything shown so far."""
        self._drawn = 0
        self.stream.write(text + end)
        self.stream.flush()

    def show(self, figures: Figures, head: str, hints: Sequence[str]) -> None:
        """Show one picture."""
        if self.redraws:
            self._redraw([head, "", *self.table(figures), "", *hints])
        else:
            self.say(line(figures))

    def hide_cursor(self, hidden: bool) -> None:
        """Keep the cursor from jumping about while the table is redrawn."""
        if self.redraws:
            self.stream.write("\x1b[?25l" if hidden else "\x1b[?25h")
            self.stream.flush()

    def _redraw(self, lines: Sequence[str]) -> None:
        size = shutil.get_terminal_size()
        lines = [cut(text, size.columns) for text in lines[: max(1, size.lines - 1)]]
        # Up to the first line of the last picture, then each line with the rest of it cleared.
        parts = [f"\x1b[{self._drawn}F"] if self._drawn else []
        parts += [f"{text}\x1b[K\n" for text in lines]
        parts.append("\x1b[J")
        self.stream.write("".join(parts))
        self.stream.flush()
        self._drawn = len(lines)

    def table(self, figures: Figures) -> list[str]:
        """Return the lines of the table."""
        return [*self._jobs(figures.jobs), "", *self._queue(figures)]

    def _jobs(self, jobs: Sequence[dict[str, Any]]) -> list[str]:
        rows = [JOB_COLUMNS, *(job_cells(job) for job in jobs)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(JOB_COLUMNS))]
        lines = []
        for number, row in enumerate(rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            if number == 0:
                cells = [self.paint(cell, DIM) for cell in cells]
            else:
                good = row[3] == "yes"
                cells[3] = self.paint(cells[3], GREEN if good else RED)
                cells[4] = cells[4] if row[4] == "0" else self.paint(cells[4], YELLOW)
            lines.append("  " + "  ".join(cells).rstrip())
        return lines

    def _queue(self, figures: Figures) -> list[str]:
        rates = spark(figures.rate_history)
        p50s = spark(figures.p50_history)
        behind = "?" if figures.behind is None else count(figures.behind)
        return [
            f"  events     produced {count(figures.produced)}   applied {count(figures.applied)}"
            f"   behind {behind}   queue lag {milliseconds(figures.lag)}",
            f"  events/s   in {figures.produced_rate:.0f}   out"
            f" {self.paint(f'{figures.applied_rate:.0f}', BOLD)}   {rates}",
            f"  latency    p50 {self.paint(milliseconds(figures.p50), BOLD)}"
            f"   p99 {milliseconds(figures.p99)}   max {milliseconds(figures.worst)}   {p50s}",
            self.paint(
                f"             commit at the source to the handler, last {WINDOW:.0f} s;"
                " the graphs: one bar a second",
                DIM,
            ),
        ]


def job_cells(job: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a job, as in JOB_COLUMNS, from a record of `scriptmgr status --json`."""
    up = job.get("uptime_seconds")
    return (
        str(job.get("job_name", "?")),
        str(job.get("service") or "-"),
        str(job.get("state") or "?").lower(),
        "yes" if job.get("ready") else "no",
        str(job.get("restarts") or 0),
        str(job.get("pid") or "-"),
        "-" if up is None else f"{up:.0f} s",
        str(job.get("status_text") or job.get("error") or ""),
    )


def line(figures: Figures) -> str:
    """Return a picture as one line, for logs."""
    behind = "?" if figures.behind is None else count(figures.behind)
    return (
        f"[{figures.elapsed:4.0f} s] {figures.ready}/{len(figures.jobs)} jobs ready,"
        f" {figures.restarts} restarts; {figures.produced_rate:.0f} events/s in,"
        f" {figures.applied_rate:.0f} out, {behind} behind, lag {milliseconds(figures.lag)};"
        f" latency p50 {milliseconds(figures.p50)} p99 {milliseconds(figures.p99)}"
    )


def count(number: int) -> str:
    """Return a number in groups of three digits."""
    return f"{number:,}".replace(",", " ")


def milliseconds(seconds: float | None) -> str:
    """Return a duration to read at a glance."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.1f} s"


def spark(values: Sequence[float | None]) -> str:
    """Return one bar per value, as high as its share of the greatest."""
    top = max((value for value in values if value is not None), default=0.0)
    if top <= 0:
        return ""
    return "".join(
        " " if value is None else BARS[min(7, int(value / top * 7.999))] for value in values
    )


def cut(text: str, width: int) -> str:
    """Shorten a line to the terminal's width; colour codes have none."""
    out, used, at = [], 0, 0
    while at < len(text):
        if text[at] == "\x1b":
            end = text.index("m", at) + 1
            out.append(text[at:end])
            at = end
            continue
        if used < width:
            out.append(text[at])
        used += 1
        at += 1
    return "".join(out)
