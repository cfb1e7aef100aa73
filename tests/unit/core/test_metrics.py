# SPDX-License-Identifier: ISC
"""Metrics through a real unix socket."""

from __future__ import annotations

import http.client
import socket
import stat

import pytest

from skytools.core import metrics


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def scrape(path) -> str:
    connection = UnixConnection(path)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    finally:
        connection.close()


def test_served_on_a_socket_that_replaces_a_stale_one(tmp_path):
    path = tmp_path / "job.sock"
    path.write_text("stale", encoding="utf-8")
    series = metrics.Metrics()
    series.counter("skytools_things_total", "Things.", ("kind",)).labels(kind="a").inc(3)
    server = metrics.serve_metrics(series, path)
    try:
        text = scrape(path)
        assert 'skytools_things_total{kind="a"} 3.0' in text
        assert "process_resident_memory_bytes" in text
        assert "_created" not in text
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    finally:
        server.shutdown()
        server.server_close()


def test_a_fault_of_ours_is_logged(tmp_path, caplog, wait_until):
    def answer(path):
        raise KeyError(path)

    path = tmp_path / "job.sock"
    server = metrics.serve_unix(path, answer)
    with pytest.raises(http.client.RemoteDisconnected):
        scrape(path)
    wait_until(lambda: "KeyError: '/metrics'" in caplog.text, what="the fault in the log")
    server.shutdown()
    server.server_close()


def test_parsed_families_render_to_the_same_samples():
    series = metrics.Metrics()
    series.histogram("skytools_wait_seconds", "Wait.", buckets=(0.1, 1)).observe(0.5)
    series.gauge("skytools_lag_seconds", "Lag.", ("queue",)).labels(queue='a"b\\c').set(1.5)
    families = metrics.parse_families(series.render().decode())
    again = metrics.parse_families(metrics.render_families(families).decode())
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples
    }
    assert samples == {
        (s.name, tuple(sorted(s.labels.items()))): s.value for f in again for s in f.samples
    }


def test_gauge_that_is_not_known_for_a_while_comes_back():
    series = metrics.Metrics()
    for value in (1.0, 2.0):
        series.gauge("skytools_lag", "Lag").set(value)
        assert f"skytools_lag {value}" in series.render().decode()
        series.forget_gauge("skytools_lag")
        series.forget_gauge("skytools_lag")
        assert "skytools_lag" not in series.render().decode()
