# SPDX-License-Identifier: ISC
"""What Prometheus gets: merged, per job, by service discovery, and when things are broken."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from examples.demo.ports import claim_port
from skytools.core.metrics import parse_families
from tests.fixtures.process import RunProgram, Spawn
from tests.fixtures.prometheus import PrometheusTools
from tests.fixtures.site import Site
from tests.fixtures.wait import wait_until

DAEMON = """
from skytools.core.program import main
from skytools.core.service import Daemon, Pause

class Counting(Daemon):
    def __init__(self, ctx, cfg):
        super().__init__(ctx, cfg)
        self.steps = ctx.metrics.counter("mine_steps_total", "Steps done.", ["job_name"])

    def step(self):
        self.steps.labels(job_name="its own idea").inc()
        return Pause(0.1)

main(Counting)
"""

# Accepts connections on its metrics socket and never answers.
SILENT = """
server = socket.socket(socket.AF_UNIX)
server.bind(os.environ["SKYTOOLS_METRICS_SOCKET"])
server.listen()
notify("READY=1")
while True:
    signal.pause()
"""

GARBAGE = """
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"what {is this\\n")
    def address_string(self):
        return ""
class Server(socketserver.UnixStreamServer):
    pass
server = Server(os.environ["SKYTOOLS_METRICS_SOCKET"], Handler)
notify("READY=1")
server.serve_forever()
"""


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def page(port: int, path: str) -> str:
    """Return a page, nothing while there is none."""
    status, text = get(port, path)
    return text if status == 200 else ""


def samples(text: str) -> dict[tuple[str, str], float]:
    """(sample, job_name) -> value, of series that have no other label."""
    return {
        (sample.name, sample.labels.get("job_name", "")): sample.value
        for family in parse_families(text)
        for sample in family.samples
        if set(sample.labels) <= {"job_name"}
    }


@pytest.fixture
def metered(site: Site, free_port: int) -> tuple[Site, int]:
    site.manager_ini(metrics_listen=f"127.0.0.1:{free_port}")
    site.script("daemon", DAEMON, prelude="")
    for name in ("one", "two"):
        site.job(name, None, script="../daemon.py")
    return site, free_port


def test_everything_is_merged_and_valid(
    metered: tuple[Site, int], prometheus_tools: PrometheusTools, run_program: RunProgram
) -> None:
    site, port = metered
    site.job("silent", SILENT)
    site.job("garbage", GARBAGE)
    site.job("off", disabled=1)
    site.job("bad", stop_timeout="soon")
    (site.jobs / "twin.ini").write_text("[mine]\nscript = ../daemon.py\njob_name = one\n")
    manager = site.start()
    site.wait_ready("one", "two", "silent", "garbage", "skytools-exporter")

    def all_that_can_answer() -> str:
        """On a busy machine a job may be too late for one scrape."""
        status, text = get(port, "/metrics")
        assert status == 200
        found = samples(text)
        up = {name for name in ("one", "two") if found.get(("skytools_job_up", name)) == 1}
        return text if up == {"one", "two"} else ""

    text = wait_until(all_that_can_answer)
    have = samples(text)
    assert have["skytools_job_up", "silent"] == have["skytools_job_up", "garbage"] == 0
    assert ("skytools_job_up", "off") not in have
    assert have["process_open_fds", "one"] > 0
    assert have["skytools_job_desired", "off"] == 0
    assert have["skytools_job_ready", "one"] == 1
    assert have["skytools_manager_hook_errors_total", ""] == 0
    assert 'exported_job_name="its own idea"' in text
    assert 'skytools_job_state{job_name="bad",state="rejected"} 1.0' in text
    assert text.count("# TYPE mine_steps_total counter") == 1
    check = run_program(prometheus_tools.promtool, "check", "metrics", stdin=text)
    assert (check.code, check.out + check.err) == (0, "")
    assert "Traceback" not in site.output("skytools-exporter") + manager.output


def test_pages_of_one_job(metered: tuple[Site, int]) -> None:
    site, port = metered
    site.job("silent", SILENT)
    site.start()
    site.wait_ready("one", "silent", "skytools-exporter")
    text = wait_until(lambda: page(port, "/metrics/one"))
    assert 'mine_steps_total{job_name="its own idea"}' in text  # passed through as it is
    assert get(port, "/metrics/silent") == (503, "silent does not answer\n")
    assert get(port, "/metrics/nobody")[0] == 404
    assert get(port, "/frob")[0] == 404
    assert get(port, "/-/healthy") == (200, "healthy\n")
    assert "/sd" in get(port, "/")[1]
    targets = json.loads(get(port, "/sd")[1])
    assert targets[0]["labels"] == {"__metrics_path__": "/manager"}
    assert {t["labels"].get("job_name") for t in targets[1:]} == {
        "one", "two", "silent", "skytools-exporter",
    }  # fmt: skip
    site.cmd("stop", "one")
    assert get(port, "/metrics/one")[0] == 503
    assert ("skytools_job_up", "one") not in samples(get(port, "/metrics")[1])


def test_real_prometheus_scrapes_what_sd_offers(
    metered: tuple[Site, int], prometheus_tools: PrometheusTools, tmp_path: Path, spawn: Spawn
) -> None:
    site, port = metered
    site.start()
    site.wait_ready("one", "two", "skytools-exporter")
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "scrape_configs:\n"
        "- job_name: skytools\n"
        "  scrape_interval: 1s\n"
        "  scrape_timeout: 1s\n"
        "  http_sd_configs:\n"
        f"  - url: http://127.0.0.1:{port}/sd\n"
        "    refresh_interval: 1s\n"
        "- job_name: merged\n"
        "  scrape_interval: 1s\n"
        "  scrape_timeout: 1s\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    )
    web = claim_port()
    spawn(
        prometheus_tools.prometheus,
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{web}",
    )

    def series(query: str) -> list[dict[str, str]]:
        try:
            status, text = get(web, f"/api/v1/query?query={query}")
        except urllib.error.URLError:
            status = 0
        if status != 200:
            return []  # not up yet
        found = json.loads(text)["data"]["result"]
        return [one["metric"] for one in found if one["value"][1] == "1"]

    def names(query: str) -> set[str | None]:
        return {one.get("job_name") for one in series(query)}

    targets = {None, "one", "two", "skytools-exporter"}
    wait_until(lambda: names('up{job="skytools"}') == targets, what=lambda: str(series("up")))
    ready = 'skytools_job_ready{job="merged"}'
    wait_until(lambda: names(ready) == targets - {None}, what=lambda: str(series(ready)))


def test_port_taken_leaves_jobs_alone(metered: tuple[Site, int]) -> None:
    site, port = metered
    with socket.create_server(("127.0.0.1", port)):
        manager = site.start()
        site.wait_ready("one", "two")
        row = site.wait_for("skytools-exporter", lambda row: row["state"] == "backoff")
        reason = f"cannot serve metrics on 127.0.0.1:{port}: Address already in use"
        assert reason in row["error"]
        assert site.cmd("status").code == 1
        site.wait_for("skytools-exporter", lambda row: row["restarts"] >= 3)
        log = [line for line in manager.output.splitlines() if reason in line]
        assert len(log) == 1
    site.wait_ready("skytools-exporter")
    assert get(port, "/metrics")[0] == 200


def test_exporter_comes_back_after_kill(metered: tuple[Site, int]) -> None:
    site, port = metered
    site.start()
    site.wait_ready("skytools-exporter")
    site.cmd("stop", "-a")
    assert site.row("skytools-exporter")["ready"]  # -a means the jobs
    assert get(port, "/metrics")[0] == 200
    assert site.cmd("restart", "-w", "skytools-exporter").code == 0
    assert get(port, "/-/healthy")[0] == 200


def test_changed_address_moves_the_exporter(metered: tuple[Site, int]) -> None:
    site, port = metered
    site.start()
    site.wait_ready("skytools-exporter", "one")
    site.manager_ini(metrics_listen="")
    result = site.cmd("update")
    assert "skytools-exporter: stopped and removed" in result.out
    wait_until(lambda: "skytools-exporter" not in site.rows(), what="the exporter is gone")
    with pytest.raises(urllib.error.URLError):
        get(port, "/metrics")
    assert site.row("one")["restarts"] == 0
