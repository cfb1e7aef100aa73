# SPDX-License-Identifier: ISC
"""Metrics as a file for the textfile collector of node_exporter, where nobody asks our port."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from skytools.core.metrics import Metric, Metrics, render_families
from skytools.walmgr.drill import last_drill
from skytools.walmgr.facts import gather, ready_files
from skytools.walmgr.metrics import PREFIX, WalmgrMetrics
from skytools.walmgr.site import Site

MODE = 0o644  # node_exporter is another user


def render(families: Iterable[Metric], job_name: str) -> bytes:
    """Return our series as text; those of the process are node_exporter's own too.

    The label tells the files of several inis apart.
    """
    ours = []
    for family in families:
        if family.name.startswith(PREFIX):
            copy = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                labels = {**sample.labels, "job_name": job_name}
                copy.add_sample(sample.name, labels, sample.value)
            ours.append(copy)
    return render_families(ours)


def replace_file(path: Path, text: bytes) -> None:
    """Replace a file in one step; not synced, as the next round writes it again. Raises OSError."""
    aside = path.with_name(f".{path.name}.new")  # the collector reads *.prom
    try:
        aside.write_bytes(text)
        aside.chmod(MODE)
        aside.rename(path)
    except OSError as exc:
        aside.unlink(missing_ok=True)
        raise OSError(exc.errno, os.strerror(exc.errno or 0), str(path)) from exc


def write_metrics(site: Site, path: Path | None) -> None:
    """Find out everything and write it to a file, or to standard output. Raises OSError."""
    metrics = Metrics()
    update = WalmgrMetrics(metrics, site.archive.stats).update
    update(gather(site), ready_files(site.leader), last_drill(site))
    text = render(metrics.registry.collect(), site.cfg.job_name)
    if path is None:
        site.out.stream.write(text.decode())
    else:
        replace_file(path, text)
