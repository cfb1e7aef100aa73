# SPDX-License-Identifier: ISC
"""Commands that ask the running manager: status, start, stop, restart, reload, update, info."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skytools.core.cli import Output
from skytools.core.errors import SkytoolsError
from skytools.scriptmgr import checking, exits
from skytools.scriptmgr.client import Client
from skytools.scriptmgr.config import Manager
from skytools.scriptmgr.paths import paths_of
from skytools.scriptmgr.selection import Row, require_selection, select
from skytools.scriptmgr.summary import describe_unmanaged
from skytools.scriptmgr.view import json_rows, show_rows

POLL = 0.05  # seconds between two looks while waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command line, parsed."""

    command: str
    manager: Manager
    overrides: dict[str, str]
    names: tuple[str, ...] = ()
    service: str = ""
    everything: bool = False
    wait: bool = False
    no_wait: bool = False
    rolling: bool = False
    dry_run: bool = False
    reload: bool = False
    timeout: float | None = None
    follow: bool = False
    lines: int = 20
    level: int = 20
    out: Output

    def client(self) -> Client:
        """Return a client of the manager that this command line is about."""
        return Client(paths_of(self.manager).control)

    def pick(self, rows: Sequence[Row]) -> list[Row]:
        """Return the selected rows; none selected means all."""
        if not self.names and not self.service and not self.everything:
            return list(rows)
        return select(rows, self.names, self.service, everything=self.everything)


def complain(text: str) -> None:
    """Say on stderr what is wrong with one job."""
    sys.stderr.write(f"scriptmgr: {text}\n")


def _outcome(rows: Sequence[Row]) -> int:
    return exits.OK if all(row["as_wanted"] for row in rows) else exits.NOT_AS_WANTED


def _reached(rows: Sequence[Row]) -> int:
    """Return the outcome of waiting: a job whose restart is still to come runs, but is not done."""
    return _outcome(rows) if all(row["settled"] for row in rows) else exits.NOT_AS_WANTED


def status(req: Request) -> int:
    """Show jobs; exit 0 when each is as wanted."""
    try:
        rows = req.pick(req.client().status()["jobs"])
    except exits.ManagerDown as exc:
        return _status_down(req, str(exc))
    if req.wait:
        rows = _wait(req, [row["job_name"] for row in rows], lambda row: row["settled"])
    show_rows(req.out, rows)
    return _reached(rows) if req.wait else _outcome(rows)


def _status_down(req: Request, text: str) -> int:
    show_rows(req.out, req.pick(_rows_without_manager(req)))
    complain(text)
    return exits.NOT_RUNNING


def _rows_without_manager(req: Request) -> list[Row]:
    jobs = checking.find_jobs(req.manager, req.overrides)
    return [describe_unmanaged(job, "rejected" if job.error else "down") for job in jobs]


def _wait(req: Request, names: Sequence[str], done: Callable[[Row], bool]) -> list[Row]:
    """Poll until every named job is `done` or the time is over; returns the last rows."""
    began = time.monotonic()
    client, wanted = req.client(), set(names)
    while True:
        rows = [row for row in client.status()["jobs"] if row["job_name"] in wanted]
        rows = _without_twins(rows)
        late = [row["job_name"] for row in rows if not done(row)]
        if not late:
            return rows
        limit = _limit(req, rows)
        if time.monotonic() >= began + limit:
            complain(f"still not done after {limit:g} s (--timeout): {', '.join(late)}")
            return rows
        time.sleep(POLL)


def _limit(req: Request, rows: Sequence[Row]) -> float:
    """Return for how long to wait: long enough by default for a job that has to be killed."""
    if req.timeout is not None:
        return req.timeout
    return 60.0 + max((row.get("stop_timeout", 60.0) for row in rows), default=0.0)


def _without_twins(rows: Sequence[Row]) -> list[Row]:
    """Drop rejected claims to the name of a job that there is; commands mean the job."""
    real = {row["job_name"] for row in rows if row["state"] != "rejected"}
    out = [row for row in rows if row["state"] != "rejected"]
    twins = {row["job_name"]: row for row in rows if row["job_name"] not in real}
    return [*out, *twins.values()]


def _change(req: Request) -> tuple[list[str], bool]:
    """Send the command; returns the jobs that took it and whether any refused."""
    require_selection(req.names, req.service, everything=req.everything, command=req.command)
    rows = _without_twins(req.pick(req.client().status()["jobs"]))
    names = [row["job_name"] for row in rows]
    refused = req.client().act(req.command, names)
    disabled = {row["job_name"] for row in rows if row["state"] == "disabled"}
    for name, why in refused.items():
        if name not in disabled:
            complain(f"{name}: {why}")
        elif not req.out.as_json:
            req.out.line(f"{name}: skipped, {why}")
    return [name for name in names if name not in refused], bool(set(refused) - disabled)


def _report(req: Request, rows: Sequence[Row]) -> None:
    if req.out.as_json:
        req.out.data(json_rows(rows))
        return
    for row in rows:
        detail, state = row["error"] or row["status_text"], row["state"]
        if not row["error"] and (state == "stopped" or row["ready"]):
            detail = ""
        if state == "running" and not row["ready"]:
            state = "running, not ready"
        text = f"{row['job_name']}: {state}"
        req.out.line(f"{text} ({detail})" if detail else text)


def start(req: Request) -> int:
    """Want jobs to run; with -w wait until they are ready."""
    names, refused = _change(req)
    if not req.wait:
        _report_now(req, names, "start requested")
        return exits.NOT_AS_WANTED if refused else exits.OK
    rows = _wait(req, names, lambda row: row["settled"])
    _report(req, rows)
    return exits.NOT_AS_WANTED if refused or _reached(rows) else exits.OK


def _report_now(req: Request, names: Sequence[str], word: str) -> None:
    if req.out.as_json:
        rows = [row for row in req.client().status()["jobs"] if row["job_name"] in names]
        req.out.data(json_rows(rows))
        return
    for name in names:
        req.out.line(f"{name}: {word}")


def stop(req: Request) -> int:
    """Want jobs stopped; wait for it unless --no-wait."""
    names, refused = _change(req)
    if req.no_wait:
        _report_now(req, names, "stop requested")
        return exits.NOT_AS_WANTED if refused else exits.OK
    rows = _wait(req, names, lambda row: row["settled"])
    _report(req, rows)
    done = all(row["settled"] for row in rows)
    return exits.OK if done and not refused else exits.NOT_AS_WANTED


def restart(req: Request) -> int:
    """Stop and start jobs, side by side or one at a time."""
    if not req.rolling:
        return start(req) if req.wait else _restart_now(req)
    require_selection(req.names, req.service, everything=req.everything, command=req.command)
    rows = req.pick(req.client().status()["jobs"])
    for name in [row["job_name"] for row in rows if row["state"] not in ("disabled", "rejected")]:
        refused = req.client().act("restart", [name])
        if refused:
            raise SkytoolsError(f"{name}: {refused[name]}")
        after = _wait(req, [name], lambda row: row["settled"])
        _report(req, after)
        if _reached(after):
            raise SkytoolsError(f"{name} is not ready: the jobs after it were left alone")
    return exits.OK


def _restart_now(req: Request) -> int:
    names, refused = _change(req)
    _report_now(req, names, "restart requested")
    return exits.NOT_AS_WANTED if refused else exits.OK


def reload(req: Request) -> int:
    """Have jobs read their inis again (HUP), each once it is ready."""
    names, refused = _change(req)
    _report_now(req, names, "reload requested")
    return exits.NOT_AS_WANTED if refused else exits.OK


def update(req: Request) -> int:
    """Take over changed inis; other jobs are left alone."""
    plan = req.client().update(dry_run=req.dry_run, reload=req.reload)
    if req.out.as_json:
        req.out.data(plan)
    else:
        _show_plan(req, plan)
    if req.wait and not req.dry_run:
        touched = [n for key in ("added", "restarted", "retried", "reloaded") for n in plan[key]]
        rows = _wait(req, touched, lambda row: row["settled"])
        if not req.out.as_json:
            _report(req, rows)
        if _reached(rows):
            return exits.NOT_AS_WANTED
    return exits.NOT_AS_WANTED if plan["rejected"] else exits.OK


def _show_plan(req: Request, plan: dict[str, Any]) -> None:
    would = "would be " if req.dry_run else ""
    texts = {
        "added": "added",
        "removed": "stopped and removed",
        "restarted": "restarted",
        "reloaded": "reloaded",
        "retried": "tried again",
    }
    changes = 0
    for key, text in texts.items():
        for name in plan[key]:
            req.out.line(f"{name}: {would}{text}")
            changes += 1
    for name in plan["kept"]:
        req.out.line(f"{name}: keeps running with its old ini, the new one is faulty")
    for name, error in plan["rejected"]:
        complain(f"{name} rejected: {error}")
    if not changes:
        req.out.line(f"nothing to change, {plan['unchanged']} jobs as they were")


def info(req: Request) -> int:
    """Show all that is known of jobs."""
    try:
        rows = req.client().status()["jobs"]
    except exits.ManagerDown:
        rows = _rows_without_manager(req)
    chosen = req.pick(rows)
    if req.out.as_json:
        req.out.data(chosen)
        return exits.OK
    for number, row in enumerate(chosen):
        if number:
            req.out.line()
        for key, value in row.items():
            if key not in ("as_wanted", "settled", "internal"):
                req.out.line(f"{key:20} {_show(key, value)}")
        req.out.line(f"{'output':20} {paths_of(req.manager).output(row['job_name'])}")
    return exits.OK


def _show(key: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if key.endswith("_time"):
        return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
