# SPDX-License-Identifier: ISC
"""Metrics of many processes -> one exposition: families regrouped, every sample labelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from skytools.core.metrics import Metric, parse_families

LABEL = "job_name"

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)

# What a family's samples may be called, apart from its own name.
_SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}


def read(text: str, job_name: str) -> list[Metric]:
    """Parse what a job exports and label each sample. Raises ValueError when it is no metrics text.

    A label job_name of its own becomes exported_job_name, as Prometheus does with its own labels.
    """
    try:
        families = parse_families(text)
    except (ValueError, IndexError, KeyError, TypeError) as exc:
        raise ValueError(f"not in the metrics text format: {exc}") from exc
    return [labelled(family, job_name) for family in families]


def labelled(family: Metric, job_name: str) -> Metric:
    """Return a copy of a family with job_name on every sample. Raises ValueError on bad names."""
    out = Metric(family.name, family.documentation, family.type)
    for sample in family.samples:
        if not _METRIC_NAME.fullmatch(sample.name):
            raise ValueError(f"bad metric name {sample.name!r}")
        labels = {}
        for key, value in sample.labels.items():
            if not _LABEL_NAME.fullmatch(key):
                raise ValueError(f"bad label name {key!r}")
            labels["exported_job_name" if key == LABEL else key] = value
        labels[LABEL] = job_name
        out.samples.append(sample._replace(labels=labels))
    return out


def _exposed(family: Metric) -> str:
    """Return the name in the HELP and TYPE lines."""
    return family.name + ("_total" if family.type == "counter" else "")


class Merger:
    """Collects families; the first to claim a name decides its type and help."""

    def __init__(self) -> None:
        self.dropped = 0  # families that clashed with one of another type
        self._families: dict[str, Metric] = {}
        self._owners: set[str] = set()
        self._seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()

    def add(self, families: Iterable[Metric]) -> None:
        """Add what one process exports."""
        for family in families:
            if not family.samples:
                continue
            mine = self._families.get(_exposed(family))
            if mine is None:
                mine = self._claim(family)
            if mine is None or mine.type != family.type:
                self.dropped += 1
                continue
            self._add_samples(mine, family)

    def _claim(self, family: Metric) -> Metric | None:
        names = [family.name + suffix for suffix in _SUFFIXES.get(family.type, ("",))]
        if any(name in self._owners for name in names):
            return None
        self._owners.update(names)
        mine = Metric(family.name, family.documentation, family.type)
        self._families[_exposed(family)] = mine
        return mine

    def _add_samples(self, mine: Metric, family: Metric) -> None:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key not in self._seen:
                self._seen.add(key)
                mine.samples.append(sample)

    def families(self) -> Sequence[Metric]:
        """Return the merged families, in order of name."""
        return [self._families[name] for name in sorted(self._families)]
