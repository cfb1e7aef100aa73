# SPDX-License-Identifier: ISC
"""How rows of `status` look to people."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from skytools.core.cli import Output, duration, format_table

COLUMNS = {
    "job_name": "JOB",
    "service": "SERVICE",
    "state": "STATE",
    "ready": "READY",
    "pid": "PID",
    "uptime": "UPTIME",
    "restarts": "RESTARTS",
    "text": "STATUS",
}

# What `--json` gives, in this order; the other keys of a row are for the exporter.
JSON_KEYS = (
    "job_name",
    "service",
    "state",
    "desired",
    "ready",
    "pid",
    "uptime_seconds",
    "restarts",
    "last_exit",
    "status_text",
    "config",
    "error",
    "start_time",
    "last_exit_time",
    "next_start_time",
)

_COLOURS = {
    "running": "32",
    "starting": "33",
    "stopping": "33",
    "backoff": "31",
    "fatal": "31",
    "rejected": "31",
    "down": "31",
    "exited": "33",
}


def json_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the documented keys only."""
    return [{key: row[key] for key in JSON_KEYS} for row in rows]


def show_rows(out: Output, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of `status`."""
    if out.as_json:
        out.data(json_rows(rows))
        return
    if not rows:
        out.line("no jobs: put an ini into the folder that config_list names")
        return
    lines = format_table([_for_people(row) for row in rows], COLUMNS)
    if out.terminal:
        lines[0] = f"\033[1m{lines[0]}\033[0m"
        lines[1:] = [_coloured(line, row) for line, row in zip(lines[1:], rows, strict=True)]
    for line in lines:
        out.line(line)


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    uptime = row["uptime_seconds"]
    return {
        **row,
        "service": row["service"] or "-",
        "ready": "yes" if row["ready"] else "no" if row["pid"] else "-",
        "uptime": duration(uptime) if uptime is not None else "-",
        "text": _text(row),
    }


def _text(row: Mapping[str, Any]) -> str:
    if row["state"] == "backoff" and row["error"]:
        return f"{row['error']}; next start {_moment(row['next_start_time'])}"
    if row["state"] in ("running", "starting") and row["ready"] and not row["error"]:
        return str(row["status_text"])
    return "; ".join(text for text in (row["error"], row["status_text"]) if text)


def _moment(epoch: float | None) -> str:
    if epoch is None:
        return "soon"
    return f"in {max(1, round(epoch - time.time()))} s"


def _coloured(line: str, row: Mapping[str, Any]) -> str:
    state = row["state"]
    colour = "33" if state == "running" and not row["ready"] else _COLOURS.get(state)
    if colour is None:
        return line
    # The first two columns may hold the same word: colour the one that is the state.
    start = line.index(f" {state}", len(row["job_name"])) + 1
    return f"{line[:start]}\033[{colour}m{state}\033[0m{line[start + len(state) :]}"
