# SPDX-License-Identifier: ISC
"""The second phase of a copy: what was dropped comes back, and the planner learns of the rows.

Indexes are built side by side. Constraints take them over afterwards, one by one: that needs a
lock that several builders could not have together.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from skytools.core.db import Database, sql
from skytools.core.errors import TransientError
from skytools.core.faultpoint import reach
from skytools.daemons.londiste import api, copies
from skytools.daemons.londiste.copy import structure
from skytools.daemons.londiste.copy.job import POLL_SECONDS, Anew, Job
from skytools.daemons.londiste.names import ident
from skytools.daemons.londiste.states import CATCHING_UP, State

log = logging.getLogger("skytools")

LOCK_TIMEOUT = "500ms"
LOOK_SECONDS = 0.5


def rebuild(job: Job, connections: int) -> None:
    """Run all statements of dropped_ddl. Raises Anew, Gone, Stopped, DatabaseError."""
    row = job.require(CATCHING_UP)
    job.db.rollback()
    todo = structure.statements(row.dropped_ddl)
    if not todo:
        return
    job.tell(f"{len(todo)} statements to rebuild indexes and constraints")
    builds = [one for one in todo if structure.is_build(one)]
    _side_by_side(job, builds, connections)
    reach("copy-built")
    for statement in todo:
        if statement not in builds:
            _soon(job, statement)
            reach("copy-constraint")


def analyze(job: Job, dest: str) -> None:
    """Let the planner know of the rows."""
    job.tell("analyze")
    job.db.execute(sql.SQL("analyze {}").format(ident(dest))).close()
    job.db.commit()


def _side_by_side(job: Job, builds: list[str], connections: int) -> None:
    if not builds:
        return
    databases = [job.new_connection() for _ in builds]
    pool = ThreadPoolExecutor(min(connections, len(builds)), "rebuild")
    try:
        pairs = zip(builds, databases, strict=True)
        running = [pool.submit(_build, job, statement, db) for statement, db in pairs]
        while wait(running, LOOK_SECONDS, FIRST_EXCEPTION).not_done:
            job.look()
            job.check(CATCHING_UP)
            if any(one.done() and one.exception() for one in running):
                break
        for one in running:
            if one.done():
                one.result()
    finally:
        _end(pool, databases)


def _end(pool: ThreadPoolExecutor, databases: list[Database]) -> None:
    """Cancel what still runs, and wait for it."""
    pool.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(db.connected for db in databases):
        for db in databases:
            db.cancel()
        time.sleep(0.02)
    pool.shutdown()


def _build(job: Job, statement: str, db: Database) -> None:
    """Run one statement; it leaves the list in the same transaction."""
    try:
        db.execute(statement).close()
        _done(job, db, statement)
    finally:
        db.close()


def _done(job: Job, db: Database, statement: str) -> None:
    row = copies.locked_table(db, job.queue, job.name)
    if row is None or State.parse(row.state) != CATCHING_UP:
        db.rollback()
        raise Anew(f"{job.name}: was set back")
    left = structure.without(row.dropped_ddl, statement)
    api.set_table_struct(db, job.queue, job.name, left)
    if left is None:
        api.announce_sync(db, job.queue, job.name)
    db.commit()
    log.info("%s: %s", job.name, statement)


def _soon(job: Job, statement: str) -> None:
    """Run a statement that needs a lock; nobody waits behind us for long."""
    while True:
        try:
            job.db.execute(f"set local lock_timeout to '{LOCK_TIMEOUT}'").close()
            job.db.execute(statement).close()
            _done(job, job.db, statement)
        except TransientError as exc:
            job.db.rollback()
            log.info("%s: %s; again", job.name, exc)
        else:
            return
        job.wait(POLL_SECONDS)
