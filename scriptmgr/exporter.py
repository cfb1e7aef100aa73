# SPDX-License-Identifier: ISC
"""skytools-exporter: the one port where Prometheus finds the manager and all its jobs.

A job of the manager itself. It reads the manager's state by RPC and the jobs' metrics from
their unix sockets; nothing here touches a database.
"""

from __future__ import annotations

import concurrent.futures
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from skytools.core import logs
from skytools.core.cli import guard
from skytools.core.errors import SkytoolsError
from skytools.core.metrics import CONTENT_TYPE, Metric, Metrics, make_tcp, render_families
from skytools.core.notify import Notifier
from skytools.scriptmgr import merge
from skytools.scriptmgr.client import Client
from skytools.scriptmgr.fetch import fetch
from skytools.scriptmgr.jobs import EXPORTER
from skytools.scriptmgr.manager_metrics import manager_families, up_family
from skytools.scriptmgr.paths import Paths
from skytools.scriptmgr.runjob import RUNTIME_ENV

log = logging.getLogger("skytools-exporter")

JOB_SECONDS = 2.0  # for one job
SCRAPE_SECONDS = 5.0  # for all jobs together; with the manager's answer, below 8
_TEXT = "text/plain; charset=utf-8"

Reply = tuple[int, str, bytes]
Row = Mapping[str, Any]

_INDEX = b"""\
skytools-exporter
/metrics         the manager and all jobs
/metrics/JOB     one job
/manager         the manager alone
/sd              targets for http_sd_configs: the manager, and each job
/-/healthy
"""


_PAGES = {"/": _INDEX, "/-/healthy": b"healthy\n"}


class Exporter:
    """Answers GET requests, each in a thread of its own."""

    def __init__(self, paths: Paths, listen: str) -> None:
        self._paths = paths
        self._listen = listen.split(",", maxsplit=1)[0].strip()
        self._client = Client(paths.control, JOB_SECONDS)
        self._metrics = Metrics()
        self._pool = concurrent.futures.ThreadPoolExecutor(64, "fetch")

    def answer(self, path: str) -> Reply:
        """Return status, content type and body for a path."""
        path = path.partition("?")[0]
        if path in _PAGES:
            return 200, _TEXT, _PAGES[path]
        try:
            status = self._client.status()
        except SkytoolsError as exc:
            return 503, _TEXT, f"{exc}\n".encode()
        return self._live_page(path, status)

    def _live_page(self, path: str, status: Row) -> Reply:
        if path == "/metrics":
            return 200, CONTENT_TYPE, self._everything(status)
        if path == "/manager":
            return 200, CONTENT_TYPE, render_families(manager_families(status))
        if path == "/sd":
            return 200, "application/json", self._targets(status["jobs"])
        if path.startswith("/metrics/"):
            return self._one(status["jobs"], path.removeprefix("/metrics/"))
        return 404, _TEXT, b"no such page; / lists them\n"

    def _everything(self, status: Row) -> bytes:
        texts = self._fetch_all(_live(status["jobs"]))
        ups = {row["job_name"]: False for row in status["jobs"] if _expected(row)}
        merger = merge.Merger()
        merger.add(manager_families(status))
        for name in sorted(texts):
            text = texts[name]
            ups[name] = text is not None and _add(merger, name, text)
        merger.add([up_family(ups), _dropped_family(merger.dropped)])
        return render_families(merger.families())

    def _fetch_all(self, rows: Iterable[Row]) -> dict[str, bytes | None]:
        futures = {row["job_name"]: self._pool.submit(self._fetch, row) for row in rows}
        concurrent.futures.wait(futures.values(), SCRAPE_SECONDS)
        return {name: f.result() if f.done() else None for name, f in futures.items()}

    def _fetch(self, row: Row) -> bytes | None:
        """Return a job's metrics, None when it gives none."""
        if row["job_name"] == EXPORTER:
            return self._metrics.render()
        try:
            return fetch(self._paths.metrics_socket(row["job_name"], row["user"]), JOB_SECONDS)
        except (OSError, ValueError) as exc:
            log.debug("job %s: %s", row["job_name"], exc)
            return None

    def _one(self, rows: Iterable[Row], name: str) -> Reply:
        row = next((row for row in rows if row["job_name"] == name), None)
        if row is None:
            return 404, _TEXT, b"no such job\n"
        text = self._fetch(row) if row["pid"] else None
        if text is None:
            return 503, _TEXT, f"{name} does not answer\n".encode()
        return 200, CONTENT_TYPE, text

    def _targets(self, rows: Iterable[Row]) -> bytes:
        """Return http_sd JSON: each job is a target, so that each has its own `up`."""
        labels: list[dict[str, str]] = [{"__metrics_path__": "/manager"}]
        labels += [
            {"__metrics_path__": f"/metrics/{row['job_name']}", merge.LABEL: row["job_name"]}
            for row in rows
            if _expected(row)
        ]
        return json.dumps([{"targets": [self._listen], "labels": each} for each in labels]).encode()


def _expected(row: Row) -> bool:
    """Tell whether a job's metrics ought to be there."""
    return bool(row["desired"] == "run" and row["state"] != "rejected")


def _live(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["pid"]]


def _add(merger: merge.Merger, name: str, text: bytes) -> bool:
    try:
        merger.add(merge.read(text.decode("utf-8"), name))
    except ValueError as exc:
        log.warning("job %s: %s", name, exc)
        return False
    return True


def _dropped_family(count: int) -> Metric:
    family = Metric(
        "skytools_exporter_families_dropped",
        "Metric families of jobs left out because another job uses the name for another type.",
        "gauge",
    )
    family.add_sample(family.name, {}, float(count))
    return family


def _serve(listen: str) -> int:
    logs.setup()
    signals = {signal.SIGTERM, signal.SIGINT}
    # Before any thread starts, so that only the main thread takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    runtime = Path(os.environ[RUNTIME_ENV])
    notify = Notifier()
    exporter = Exporter(Paths(runtime, runtime), listen)
    for address in listen.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            server = make_tcp(host.strip("[]"), int(port), exporter.answer)
        except OSError as exc:
            raise SkytoolsError(
                f"cannot serve metrics on {address.strip()}: {exc.strerror}; "
                "end its owner, or set metrics_listen in [scriptmgr]"
            ) from exc
        threading.Thread(target=server.serve_forever, daemon=True, name="http").start()
    notify.ready()
    notify.status(f"http://{listen.split(',', maxsplit=1)[0].strip()}/metrics")
    signal.sigwait(signals)
    return 0


def main() -> int:
    """Serve the addresses given as the only argument until told to stop."""
    return guard("skytools-exporter", lambda: _serve(sys.argv[1]))


if __name__ == "__main__":
    raise SystemExit(main())
