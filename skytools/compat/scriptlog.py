# SPDX-License-Identifier: ISC
"""Setting up a script's logging from its keys."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import sys
from pathlib import Path

from skytools.compat import skylog
from skytools.compat.config import Config
from skytools.core import logs
from skytools.core.errors import UsageError
from skytools.core.logs import LineFormatter


def setup(cf: Config, service_name: str, job_name: str, level: int, *, console: bool) -> None:
    """Log to stderr (`console`), to logfile, and as a skylog.ini says. Raises UsageError."""
    skylog.set_service_name(service_name, job_name)
    handlers: list[logging.Handler] = []
    verbose = level < logging.INFO
    if console:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[-1].setFormatter(_formatter(cf, "console", verbose))
    path = cf.getfile("logfile", "")
    if path:
        try:
            file = logging.handlers.RotatingFileHandler(
                path,
                maxBytes=cf.getint("log_size", 10 << 20),
                backupCount=cf.getint("log_count", 3),
                encoding="utf-8",
            )
        except OSError as exc:
            raise UsageError(f"logfile {path}: {exc.strerror}") from exc
        file.setFormatter(_formatter(cf, "file", verbose))
        handlers.append(file)
    for handler in handlers:
        handler.addFilter(skylog.add_job)
    use = cf.getint("use_skylog", 0)
    if use > 1 or (use == 1 and not (console and sys.stdout.isatty())):
        _use_skylog(cf)
        handlers = [*logging.getLogger().handlers, *handlers]
        logging.getLogger().handlers.clear()
    logs.setup(level=level, console=False, extra=handlers)


def _formatter(cf: Config, kind: str, verbose: bool) -> logging.Formatter:
    suffixes = ("_verbose", "") if verbose else ("",)
    text = _first(cf, [f"logfmt_{kind}{suffix}" for suffix in suffixes])
    dates = _first(cf, [f"logdatefmt_{kind}{suffix}" for suffix in suffixes])
    if not text and not dates:
        return LineFormatter()
    return logging.Formatter(text or "%(asctime)s %(process)s %(levelname)s %(message)s", dates)


def _first(cf: Config, keys: list[str]) -> str | None:
    found = (cf.get(key, "") for key in keys)
    return next((text for text in found if text), None)


def _use_skylog(cf: Config) -> None:
    places = cf.getlist("skylog_locations", ["skylog.ini", "~/.skylog.ini", "/etc/skylog.ini"])
    for place in places:
        path = Path(place).expanduser()
        if path.is_file():
            try:
                logging.config.fileConfig(path, disable_existing_loggers=False)
            except (OSError, KeyError, ValueError, RuntimeError, ImportError, TypeError) as exc:
                raise UsageError(f"{path} is no good logging configuration: {exc}") from exc
            return
    raise UsageError(f"use_skylog is set, but there is none of {', '.join(places)}")
