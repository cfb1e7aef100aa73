# SPDX-License-Identifier: ISC
"""Prometheus metrics and how they are served. The only user of prometheus_client.

Serving never touches a database: the work loop sets values, a thread renders them.
"""

from __future__ import annotations

import contextlib
import http.server
import logging
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

# Must be set before the import: *_created series would double the number of series.
os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "True")

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)

__all__ = ["Counter", "Gauge", "Histogram", "Metric", "Metrics", "parse_families"]

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BATCH_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)
BATCH_EVENTS = (1, 10, 100, 1e3, 1e4, 1e5)


class Metrics:
    """The series of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Make a counter, or return the one of that name; `name` ends in _total."""
        if name not in self._counters:
            self._counters[name] = Counter(name, text, labels, registry=self.registry)
        return self._counters[name]

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """Make a gauge, or return the one of that name."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, text, labels, registry=self.registry)
        return self._gauges[name]

    def forget_gauge(self, name: str) -> None:
        """Take a gauge away, if there is one: what is not known is absent."""
        gauge = self._gauges.pop(name, None)
        if gauge is not None:
            self.registry.unregister(gauge)

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> Histogram:
        """Make a histogram, or return the one of that name."""
        if name not in self._histograms:
            self._histograms[name] = Histogram(
                name, text, labels, registry=self.registry, buckets=buckets
            )
        return self._histograms[name]

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes."""
        return generate_latest(self.registry)


def parse_families(text: str) -> list[Metric]:
    """Parse the text format. Raises ValueError when it is not that."""
    # The exporter alone parses.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    return list(text_string_to_metric_families(text))


class _Families:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> list[Metric]:
        return self._families


def render_families(families: Iterable[Metric]) -> bytes:
    """Return families as text; a name must not come twice."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families))
    return generate_latest(registry)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET by a function path -> (status, content type, body)."""

    answer: Callable[[str], tuple[int, str, bytes]]
    timeout = 10

    def do_GET(self) -> None:
        """Serve one request."""
        status, content_type, body = type(self).answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the reader went away
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape every few seconds is no news."""

    def address_string(self) -> str:
        """Avoid name lookups; unix peers have no address at all."""
        return str(self.client_address)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a reader that hangs up; anything else is a fault of ours."""
        exc = sys.exception()
        if not isinstance(exc, OSError):
            log.error("unexpected error in an answer, please report it", exc_info=exc)


class _UnixServer(_Server):
    address_family = socket.AF_UNIX
    allow_reuse_address = False


class _Inet6Server(_Server):
    address_family = socket.AF_INET6


Answer = Callable[[str], tuple[int, str, bytes]]


def serve_unix(path: Path, answer: Answer) -> socketserver.BaseServer:
    """Serve on a unix socket (mode 0660) from a thread, replacing a stale file. Raises OSError."""
    path.unlink(missing_ok=True)
    server = _UnixServer(str(path), _handler(answer))  # type: ignore[arg-type] # AF_UNIX
    path.chmod(0o660)
    return _start(server)


def make_tcp(host: str, port: int, answer: Answer) -> socketserver.BaseServer:
    """Bind a TCP server; the caller runs serve_forever(). Raises OSError."""
    cls = _Inet6Server if ":" in host else _Server
    return cls((host, port), _handler(answer))


def _handler(answer: Answer) -> type[Handler]:
    return type("BoundHandler", (Handler,), {"answer": staticmethod(answer)})


def _start(server: socketserver.BaseServer) -> socketserver.BaseServer:
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server


def serve_metrics(metrics: Metrics, path: Path) -> socketserver.BaseServer:
    """Serve a process's own metrics on its unix socket."""
    return serve_unix(path, lambda _path: (200, CONTENT_TYPE, metrics.render()))
