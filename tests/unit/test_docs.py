# SPDX-License-Identifier: ISC
"""Documentation that cannot lie: generated pages are fresh, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from skytools.core.clock import Clock
from skytools.core.metrics import Metric, Metrics
from skytools.daemons.londiste.metrics import WorkerMetrics
from skytools.daemons.ticker.metrics import TickerMetrics
from skytools.pgq.stats import ConsumerStats
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.manager_metrics import manager_families, up_family
from skytools.scriptmgr.summary import describe_unmanaged
from skytools.walmgr.metrics import WalmgrMetrics

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"run make docs:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def documented() -> set[str]:
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(skytools_[a-z0-9_]+)`", text, re.MULTILINE))


def names(families: Iterable[Metric]) -> set[str]:
    """Return the names as Prometheus sees them, without those of the process."""
    found = {f.name + ("_total" if f.type == "counter" else "") for f in families}
    return {name for name in found if name.startswith("skytools_")}


@pytest.mark.parametrize(
    "make",
    [
        TickerMetrics,
        lambda metrics: ConsumerStats(metrics, Clock()),
        lambda metrics: WalmgrMetrics(metrics, dict),
        lambda metrics: WorkerMetrics(metrics, "q"),
    ],
    ids=["ticker", "consumer", "walmgr", "londiste"],
)
def test_every_series_of_a_daemon_is_documented(make: Callable[[Metrics], object]) -> None:
    metrics = Metrics()
    make(metrics)
    found = names(metrics.registry.collect())
    assert found
    assert found <= documented()


def test_every_series_of_the_manager_is_documented() -> None:
    job = describe_unmanaged(Job(name="a"), "stopped")
    facts = {"reload_ok": True, "reload_time": 1.0, "hook_errors": 0, "notify_dropped": 0}
    found = names([*manager_families({**facts, "jobs": [job]}), up_family({"a": True})])
    assert found <= documented()
    # Nothing is documented that nobody makes.
    assert {n for n in documented() if n.startswith(("skytools_job_", "skytools_mana"))} <= found
