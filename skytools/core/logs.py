# SPDX-License-Identifier: ISC
"""Logging of a program: stderr, a rotated file, syslog."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

FORMAT = "%(asctime)s.%(msecs)03d %(zone)s [%(process)d] %(levelname)s %(message)s"
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
FULL_DISK_QUIET = 60.0  # seconds between two complaints


class LineFormatter(logging.Formatter):
    """`DATE TIME.ms TZ [pid] LEVEL message`. Source: the log line of pgqd 3.5."""

    def __init__(self) -> None:
        super().__init__(FORMAT, DATE_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Add the zone name to the record."""
        record.zone = time.strftime("%Z", time.localtime(record.created))
        return super().format(record)


def setup(
    *,
    level: int = logging.INFO,
    console: bool = True,
    logfile: Path | None = None,
    log_size: int = 10 << 20,
    log_count: int = 3,
    extra: Sequence[logging.Handler] = (),
) -> None:
    """Replace the root logger's handlers. Raises OSError when the file cannot be opened."""
    handlers = list(extra)
    if console:
        handlers.append(logging.StreamHandler(sys.stderr))
    if logfile is not None:
        handlers.append(_file_handler(logfile, log_size, log_count))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        if handler.formatter is None:
            handler.setFormatter(LineFormatter())
        root.addHandler(handler)
    root.setLevel(level)


def _file_handler(path: Path, size: int, count: int) -> logging.Handler:
    # A megabyte in each process, and most log to stderr only.
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415

    class LogFile(RotatingFileHandler):
        """Tells of a full disk by a line on stderr, once a minute; the work goes on."""

        told = -math.inf

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - of logging
            error, now = sys.exc_info()[1], time.monotonic()
            if not isinstance(error, OSError):
                super().handleError(record)
            elif now >= self.told + FULL_DISK_QUIET:
                self.told = now
                with contextlib.suppress(OSError):
                    sys.stderr.write(f"logfile {path}: {error.strerror}\n")

    return LogFile(path, maxBytes=size, backupCount=count, encoding="utf-8")


def syslog_handler(ident: str, facility: str = "daemon") -> logging.Handler:
    """Return a handler for the local syslog. Raises OSError when there is none, ValueError."""
    from logging.handlers import SysLogHandler  # noqa: PLC0415

    numbers = SysLogHandler.facility_names
    if facility not in numbers:
        raise ValueError(f"unknown syslog facility {facility}")
    handler = SysLogHandler("/dev/log", numbers[facility])
    handler.ident = f"{ident}[{os.getpid()}]: "
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    return handler
