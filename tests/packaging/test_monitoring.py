# SPDX-License-Identifier: ISC
"""Alert rules and dashboard: good for Prometheus, about metrics that exist, made of the mixin."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.prometheus import PrometheusTools

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "examples" / "monitoring"
RULES = MONITORING / "rendered" / "rules.yml"
DASHBOARD = MONITORING / "rendered" / "dashboard.json"
METRIC = re.compile(r"\b(?:skytools|process)_[a-z_]+\b")


def run(*words: str) -> None:
    result = subprocess.run(
        words, cwd=MONITORING, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_rules_fire_when_they_should(prometheus_tools: PrometheusTools) -> None:
    run(prometheus_tools.promtool, "check", "rules", str(RULES))
    run(prometheus_tools.promtool, "test", "rules", "rules_test.yml")


def test_each_alert_is_tested_and_explained() -> None:
    alerts = set(re.findall(r'"alert": "(\w+)"', RULES.read_text()))
    assert len(alerts) > 8
    tested = set(re.findall(r"alertname: (\w+)", (MONITORING / "rules_test.yml").read_text()))
    explained = set(re.findall(r"^## (\w+)", (MONITORING / "monitoring.md").read_text(), re.M))
    assert alerts == tested == explained


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_every_metric_exists(path: Path) -> None:
    documented = (ROOT / "docs" / "metrics.md").read_text()
    # walmgr puts the prefix before names like "backups".
    short = (ROOT / "walmgr" / "metrics.py").read_text()
    documented += re.sub(r'"([a-z_]+)"', r"`skytools_walmgr_\1`", short)
    used = set(METRIC.findall(path.read_text())) - {"process_resident_memory_bytes"}
    names = {re.sub(r"_bucket$", "", name) for name in used}
    assert [name for name in sorted(names) if f"`{name}`" not in documented] == []


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_rendered_files_are_what_the_mixin_says(prometheus_tools: PrometheusTools) -> None:
    run("make", "check", f"PROMTOOL={prometheus_tools.promtool}")
