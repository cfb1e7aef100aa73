# SPDX-License-Identifier: ISC
"""What Prometheus sees of walmgr. Counters of the archive come from its state file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skytools.core.metrics import Metric, Metrics
from skytools.walmgr.drill import Drill
from skytools.walmgr.facts import Facts, is_running, newest_complete
from skytools.walmgr.sets import FAILED
from skytools.walmgr.store import DURATION_BUCKETS

PREFIX = "skytools_walmgr_"


class ArchiveCollector:
    """Counters that archive_command and the receiver keep in the archive's state file."""

    def __init__(self, stats: Callable[[], dict[str, float]]) -> None:
        self._stats = stats

    def collect(self) -> list[Metric]:
        """Return the families; called by the thread that serves."""
        stats = self._stats()
        return [
            _counter("archived_files", "Files that came into the archive.", stats.get("files", 0)),
            _counter("archived_bytes", "Their bytes, uncompressed.", stats.get("bytes", 0)),
            _counter("archive_failures", "Attempts that failed.", stats.get("failures", 0)),
            _durations(stats),
        ]


def _counter(name: str, text: str, value: float) -> Metric:
    family = Metric(PREFIX + name, text, "counter")
    family.add_sample(f"{PREFIX}{name}_total", {}, value)
    return family


def _durations(stats: dict[str, float]) -> Metric:
    name = f"{PREFIX}archive_duration_seconds"
    family = Metric(name, "How long a file took to come in.", "histogram")
    for bound in DURATION_BUCKETS:
        family.add_sample(f"{name}_bucket", {"le": str(bound)}, stats.get(f"le_{bound:g}", 0))
    count = stats.get("files", 0)
    family.add_sample(f"{name}_bucket", {"le": "+Inf"}, count)
    family.add_sample(f"{name}_count", {}, count)
    family.add_sample(f"{name}_sum", {}, stats.get("seconds", 0))
    return family


class WalmgrMetrics:
    """Gauges set by the work loop; one that is not known is absent."""

    def __init__(self, metrics: Metrics, stats: Callable[[], dict[str, float]]) -> None:
        self._metrics = metrics
        self._values: dict[str, float | None] = {}
        metrics.registry.register(ArchiveCollector(stats))

    def update(self, facts: Facts, ready: int | None, drill: Drill | None) -> None:
        """Take over what was found out."""
        values = {**_of_archive(facts, ready), **_of_sets(facts), **_of_drill(drill)}
        for name, (text, value) in {**values, **_of_standby(facts.standby or {})}.items():
            self._set(PREFIX + name, text, value)

    def _set(self, name: str, text: str, value: float | None) -> None:
        if value is None:
            self._metrics.forget_gauge(name)
        else:
            self._metrics.gauge(name, text).set(float(value))


Values = dict[str, tuple[str, float | None]]  # name -> what it says, and how much it is


def _of_archive(facts: Facts, ready: int | None) -> Values:
    stats = facts.archive.get("stats", {})
    disk, offsite = facts.disk, facts.offsite or {}
    return {
        "last_archived_timestamp_seconds": ("Last file came in.", stats.get("last")),
        "archive_ready_files": ("Files that the primary has still to archive.", ready),
        "archive_gaps": ("Missing segments.", len(facts.archive.get("gaps", ()))),
        "receiver_up": ("Whether pg_receivewal runs.", float(facts.receiver_runs)),
        "disk_free_bytes": ("Free on the archive's disk.", disk.free if disk else None),
        "archive_size_bytes": ("What the archive has.", disk.archive if disk else None),
        "archive_growth_bytes_per_second": (
            "WAL that comes in, as it is kept.", disk.rate if disk else None),
        "disk_full_after_seconds": (
            "When the disk is full; absent when that is not foreseen.",
            disk.full_after if disk else None,
        ),
        "offsite_last_success_timestamp_seconds": (
            "Last whole off-site copy.", offsite.get("finished")),
        "offsite_pending_files": ("What is not there yet.", offsite.get("pending")),
    }  # fmt: skip


def _of_sets(facts: Facts) -> Values:
    newest = newest_complete(facts.sets)
    complete = [one for one in facts.sets if one.complete]
    return {
        "backups": ("Complete backup sets.", len(complete)),
        "backup_oldest_timestamp_seconds": (
            "End of the oldest complete set.", complete[0].finished if complete else None),
        "backup_last_success_timestamp_seconds": (
            "End of the newest complete set.", newest.finished if newest else None),
        "backup_last_duration_seconds": ("How long it took.", newest.seconds if newest else None),
        "backup_last_size_bytes": ("Its size.", newest.size if newest else None),
        "backup_running": ("Whether one is being made.", float(is_running(facts.sets))),
        "backups_failed": (
            "Failed sets that are kept.", sum(one.state == FAILED for one in facts.sets)),
    }  # fmt: skip


def _of_drill(drill: Drill | None) -> Values:
    return {
        "drill_last_timestamp_seconds": ("Last trial restore.", drill.moment if drill else None),
        "drill_last_good": ("Whether it was good.", float(drill.good) if drill else None),
        "drill_last_duration_seconds": (
            "How long a restore took to answer.", drill.seconds if drill and drill.good else None),
    }  # fmt: skip


def _of_standby(standby: dict[str, Any]) -> Values:
    paused = standby.get("pause_state")
    return {
        "standby_in_recovery": ("Whether it is a standby.", standby.get("in_recovery")),
        "standby_replay_paused": (
            "Whether replay stands still.", None if paused is None else paused != "not paused"),
        "standby_replay_lag_seconds": ("How far replay is behind.", standby.get("replay_seconds")),
        "standby_replay_lag_bytes": (
            "Received and not yet replayed.", standby.get("replay_bytes")),
    }  # fmt: skip
