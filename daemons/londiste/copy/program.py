# SPDX-License-Identifier: ISC
"""A process that copies tables, or tidies up after copies.

The worker starts it as a child that dies with it, with its own settings on the standard input, and
names one table after the other; `londiste INI copy TABLE` does one by hand while no worker runs. It
can be killed at any moment: what it had committed is found in the table's row, and the next one
goes on from there.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TextIO

from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy import finish
from skytools.daemons.londiste.copy.catchup import CatchUp
from skytools.daemons.londiste.copy.connections import Connections
from skytools.daemons.londiste.copy.job import Anew, Gone, Job, Stopped
from skytools.daemons.londiste.copy.loading import Loading, connections
from skytools.daemons.londiste.copy.progress import Bar, Progress
from skytools.daemons.londiste.copy.rebuild import analyze, rebuild
from skytools.daemons.londiste.states import CATCHING_UP, IN_COPY, Snapshot, Stage, State

log = logging.getLogger("skytools")

# What lines for the worker begin with.
PROGRESS, OVER = "progress", "over"


def copy_table(job: Job, progress: Progress) -> bool:
    """Copy a table until the worker has it; false: it is to begin anew, or to be left.

    The connections are closed then. Raises SkytoolsError for what should be tried again later.
    """
    done = False
    try:
        job.begin()
        _phases(job, progress)
        progress.enter("in sync")
        finish.drop_consumers(job.db, job.cfg, job.connections, only=job.consumer)
        job.release()
        done = True
    except Anew as exc:
        log.info("%s", exc)
    except Gone as exc:
        log.info("%s", exc)
        job.db.rollback()
        finish.drop_consumers(job.db, job.cfg, job.connections)
    except Stopped:
        log.debug("%s: stopped", job.name)
    finally:
        if not done:
            job.connections.close()
    return done


def _phases(job: Job, progress: Progress) -> None:
    row = job.row()
    state = State.parse(row.state)
    if state.stage is Stage.MISSING:
        job.set_state(IN_COPY)
        state = IN_COPY
    elif state.stage in {Stage.WANNA_SYNC, Stage.DO_SYNC}:
        # Of a process that has died; the tick may mean something else, if that was a 3.x.
        job.set_state(CATCHING_UP, Snapshot.parse(row.snapshot) if row.snapshot else None)
    job.db.commit()
    if state.stage is Stage.OK:
        return
    if state.stage is Stage.IN_COPY:
        Loading(job, progress).run()
    row = job.role()
    while row.dropped_ddl is not None and row.copy_role is not None:
        job.tell("waits for the copies of other queues, then rebuilds the indexes")
        job.wait(1.0)
        row = job.role()
    if state.stage in {Stage.IN_COPY, Stage.CATCHING_UP}:
        progress.enter("indexes")
        rebuild(job, connections(job.cfg))
        analyze(job, row.dest)
    progress.enter("catching up")
    CatchUp(job).run()
    job.tell("in sync")


def tidy(cfg: LondisteConfig, connections: Connections) -> None:
    """Bring foreign keys back, forget consumers of copies that are over."""
    local = connections.get("tidy", "db", cfg.db, "")
    finish.drop_consumers(local, cfg, connections)
    finish.restore_fkeys(local, cfg.queue_name)


def watch(ctx: Context, cfg: LondisteConfig, table: str, stream: TextIO) -> int:
    """Copy a table for somebody at a terminal; the exit code."""
    bar = Bar(stream) if stream.isatty() else None
    report = bar.draw if bar else lambda _: None
    connections = Connections()
    try:
        done = copy_table(Job(ctx, cfg, table, connections), Progress(table, report=report))
        if done:
            tidy(cfg, connections)
    finally:
        connections.close()
        if bar:
            bar.end()
    return 0 if done else 1


# as a child of the worker


def to_json(cfg: LondisteConfig) -> str:
    """Return settings as one line, for from_json()."""
    return json.dumps(asdict(cfg), default=str)


def from_json(text: str) -> LondisteConfig:
    """Read settings that to_json() has written."""
    values = json.loads(text)
    for field in fields(LondisteConfig):
        value = values[field.name]
        if value is not None and str(field.type).startswith("Path"):
            values[field.name] = Path(value)
        elif isinstance(value, list):
            values[field.name] = tuple(value)
    return LondisteConfig(**values)


def tell_worker(progress: Progress) -> None:
    """Write progress for the worker that has started us."""
    told = {
        "rows": progress.rows,
        "bytes": progress.bytes,
        "source_rows": progress.source_rows,
        "line": progress.line(),
    }
    _say(f"{PROGRESS} {json.dumps(told)}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_child() -> int:
    """Copy the tables that the worker names, one after the other; the exit code.

    An empty name: tidy up. After each the worker is told what went wrong, if anything.
    """
    cfg = from_json(sys.stdin.readline())
    ctx = Context(job_name=cfg.job_name)
    ctx.signals.install()
    connections = Connections()
    while not ctx.stopping and (line := sys.stdin.readline()):
        table = line.rstrip("\n")
        fault = ""
        try:
            if table:
                job = Job(ctx, cfg, table, connections)
                copy_table(job, Progress(table, report=tell_worker))
            else:
                tidy(cfg, connections)
        except SkytoolsError as exc:
            connections.close()
            fault = str(exc).replace("\n", " ") or type(exc).__name__
        _say(f"{OVER} {fault}")
    return 0
