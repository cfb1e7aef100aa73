# SPDX-License-Identifier: ISC
"""Output of commands and the outermost error handler of every program."""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from skytools.core.errors import EXIT_CRASH, SkytoolsError

EXIT_INTERRUPTED = 130


class Output:
    """Writes results: tables and lines for people, JSON for programs."""

    def __init__(self, *, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self.stream = stream or sys.stdout

    @property
    def terminal(self) -> bool:
        """Whether colours and redrawing make sense."""
        return self.stream.isatty() and "NO_COLOR" not in os.environ

    def line(self, text: str = "") -> None:
        """Write a line for people; nothing in JSON mode."""
        if not self.as_json:
            self.stream.write(text + "\n")

    def data(self, value: Any) -> None:
        """Write a value as JSON."""
        json.dump(value, self.stream, indent=2, default=str)
        self.stream.write("\n")

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
        """Write rows; `columns` maps a key to its heading. JSON mode writes every key."""
        if self.as_json:
            self.data([dict(row) for row in rows])
            return
        for text in format_table(rows, columns):
            self.stream.write(text + "\n")


def format_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    """Return aligned lines with a heading; None shows as `-`."""
    cells = [list(columns.values())]
    cells += [[cell(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def cell(value: Any) -> str:
    """Return text for people: times to the second, lengths of time to the millisecond."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, datetime.timedelta):
        whole = str(datetime.timedelta(value.days, value.seconds))
        if value.microseconds:
            return f"{whole}.{value.microseconds // 1000:03}"
        return whole.removesuffix(", 0:00:00")
    return str(value)


def duration(seconds: float, *, tenths: bool = False) -> str:
    """Return a length of time in its two largest units: 42s, 3m05s, 2h07m, 1d2h.

    With `tenths` less than ten seconds are shown to the tenth.
    """
    if tenths and seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    minutes, secs = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{secs:02d}s" if minutes else f"{secs}s"


def failure_of(work: Callable[[], object]) -> Exception | None:
    """Call what others have written, and return what it raised instead of raising it."""
    try:
        work()
    except Exception as exc:  # noqa: BLE001 # the caller gets it
        return exc
    return None


def guard(program: str, main: Callable[[], int]) -> int:
    """Run a program: an error the user can act on is one line on stderr and its exit code."""
    try:
        return main()
    except SkytoolsError as exc:
        for line in str(exc).splitlines() or [type(exc).__name__]:
            sys.stderr.write(f"{program}: {line}\n")
        return exc.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CRASH
    except Exception:
        logging.getLogger(program).exception("unexpected error, please report it")
        return EXIT_CRASH
