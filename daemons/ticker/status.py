# SPDX-License-Identifier: ISC
"""The STATUS line: `3/4 databases ticking; shop: connection refused, next try in 8 s`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from skytools.daemons.ticker.database import Report

# systemctl shows one line: name the first few, count the rest.
NAMED = 3
MAX_TEXT = 120


def status_line(reports: Mapping[str, Report], discovery_error: str, now: float) -> str:
    """Return how the databases are; those without pgq are none of our business."""
    served = {name: r for name, r in reports.items() if r.state != "ignored"}
    ticking = sum(report.state == "ticking" for report in served.values())
    parts = [f"{ticking}/{len(served)} databases ticking"]
    if discovery_error:
        parts.append(f"list of databases: {brief(discovery_error)}")
    troubled = [(name, r) for name, r in sorted(served.items()) if r.state != "ticking"]
    parts += [f"{name}: {_trouble(name, report, now)}" for name, report in troubled[:NAMED]]
    if len(troubled) > NAMED:
        parts.append(f"{len(troubled) - NAMED} more")
    return "; ".join(parts)


def _trouble(name: str, report: Report, now: float) -> str:
    if report.state == "starting":
        return "connecting"
    text = brief(report.text.removeprefix(f"{name}: "))
    if report.state == "failed":
        return f"{text}, next try in {math.ceil(max(report.next_try - now, 0.0))} s"
    return text


def brief(text: str) -> str:
    """Shorten libpq's words to the part that tells the reason."""
    text = text.rsplit(" failed: ", 1)[-1].removeprefix("FATAL: ").strip()
    text = text.split(" Is the server running", 1)[0]
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
