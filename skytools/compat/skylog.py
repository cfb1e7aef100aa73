# SPDX-License-Identifier: ISC
"""Logging of scripts: loggers with trace(), formats, and the handlers of a skylog.ini.

A skylog.ini is a file for Python's logging.config.fileConfig. Source: skytools.skylog.
"""

from __future__ import annotations

import functools
import json
import logging
import logging.handlers
import os
import socket
from typing import Any

from skytools.compat import tnetstrings

__all__ = [
    "TRACE",
    "EasyRotatingFileHandler",
    "SysLogHandler",
    "SysLogHostnameHandler",
    "UdpLogServerHandler",
    "UdpTNetStringsHandler",
    "getLogger",
    "set_service_name",
]

TRACE = 5
logging.addLevelName(TRACE, "TRACE")

_service = {"service_name": "unknown_svc", "job_name": "unknown_job"}
MAX_MESSAGE = 1024
_LEVELS = {"WARNING": "WARN", "CRITICAL": "FATAL"}


def set_service_name(service_name: str, job_name: str) -> None:
    """Say which job the records of this process are of."""
    _service.update(service_name=service_name, job_name=job_name)


@functools.cache
def _host() -> tuple[str, str]:
    name = socket.gethostname()
    try:
        return name, socket.gethostbyname(name)
    except OSError:
        return name, "0.0.0.0"  # noqa: S104 - nothing is bound, it says "unknown"


def add_job(record: logging.LogRecord) -> bool:
    """Give a record job_name, service_name, hostname and hostaddr; a filter of handlers."""
    record.__dict__.update(_service)
    record.hostname, record.hostaddr = _host()
    return True


class _Adapter(logging.LoggerAdapter[logging.Logger]):
    """Puts the extra fields into each record."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Merge the fields of the logger and of the call."""
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs

    def trace(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at level TRACE."""
        self.log(TRACE, msg, *args, **kwargs)


def getLogger(name: str | None = None, **kwargs_extra: Any) -> Any:  # noqa: N802 - as in logging
    """Return a logger that has trace(), and puts the keyword arguments into its records."""
    logger = logging.getLogger(name)
    if kwargs_extra:
        return _Adapter(logger, kwargs_extra)
    if not hasattr(logger, "trace"):
        logger.trace = functools.partial(logger.log, TRACE)  # type: ignore[attr-defined]
    return logger


class EasyRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """A rotated file; `~` is filled in."""

    def __init__(self, filename: str, maxBytes: int = 10 << 20, backupCount: int = 3) -> None:  # noqa: N803
        super().__init__(
            os.path.expanduser(filename),  # noqa: PTH111 - an empty name stays empty
            maxBytes=maxBytes,
            backupCount=backupCount,
            encoding="utf-8",
        )
        self.addFilter(add_job)


class _Udp(logging.handlers.DatagramHandler):
    """Sends each record as one datagram; what cannot be sent is lost, as UDP is."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, int(port))
        self.addFilter(add_job)

    def data(self, record: logging.LogRecord) -> bytes:
        """Return the datagram of a record."""
        raise AssertionError(f"{type(self).__name__} must define data()")

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        try:
            self.send(self.data(record))
        except (OSError, ValueError, TypeError):
            self.handleError(record)


class UdpLogServerHandler(_Udp):
    """JSON for a log server."""

    def data(self, record: logging.LogRecord) -> bytes:
        """Return the datagram of a record."""
        fields = record.__dict__
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        package = {
            "logger": "skytools.UdpLogServer",
            "timestamp": int(record.created * 1000),
            "level": _LEVELS.get(record.levelname, record.levelname),
            "thread": None,
            "message": text[:MAX_MESSAGE],
            "properties": {
                "application": fields["job_name"],
                "apptype": fields["service_name"],
                "type": "sys",
                "hostname": fields["hostname"],
                "hostaddr": fields["hostaddr"],
            },
        }
        return json.dumps(package).encode()


class UdpTNetStringsHandler(_Udp):
    """Tagged netstrings for a log server."""

    FIELDS = ("created", "levelname", "levelno", "message", "msecs", "name")
    JOB_FIELDS = ("hostaddr", "hostname", "job_name", "service_name")

    def data(self, record: logging.LogRecord) -> bytes:
        """Return the datagram of a record."""
        record.message = record.getMessage()
        package = {name: record.__dict__[name] for name in (*self.FIELDS, *self.JOB_FIELDS)}
        if record.exc_info:
            package["exc_text"] = logging.Formatter().formatException(record.exc_info)
        return tnetstrings.dumps(package)


class SysLogHandler(logging.handlers.SysLogHandler):
    """Syslog, with the fields of the job for its format."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.addFilter(add_job)


class SysLogHostnameHandler(SysLogHandler):
    """Syslog for a remote host: the line begins with our host and job."""

    def format(self, record: logging.LogRecord) -> str:
        """Put host and job before the text."""
        add_job(record)
        fields = record.__dict__
        return f"{fields['hostname']} {fields['job_name']}[{os.getpid()}]: " + super().format(
            record
        )
