# SPDX-License-Identifier: ISC
"""What every command has: the node, the output, and what was typed."""

from __future__ import annotations

import argparse
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skytools.core.cli import Output
from skytools.core.db import Database
from skytools.core.errors import NOT_INSTALLED, DatabaseError, SkytoolsError, UsageError
from skytools.core.pidfile import PidFile
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.progress import Progress
from skytools.daemons.londiste.upstream import Upstream
from skytools.pgq import node
from skytools.pgq.node import NodeState, NodeType

log = logging.getLogger("londiste")

Arguments = Callable[[argparse.ArgumentParser], None]
POLL = 0.2  # s


@dataclass(frozen=True, slots=True)
class Command:
    """A command. `lock`: ending of the pidfile that only one command has at a time."""

    name: str
    run: Callable[[Env], int]
    help: str
    arguments: Arguments = lambda parser: None
    lock: str = ""


@dataclass(slots=True)
class Env:
    """One command that was given."""

    opts: argparse.Namespace
    cfg: LondisteConfig
    out: Output
    ini: Path
    progress: Progress = field(default_factory=Progress)
    _db: Database | None = None
    _state: NodeState | None = None
    _upstream: Upstream | None = None

    @property
    def queue(self) -> str:
        """The queue of the node."""
        return self.cfg.queue_name

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be changed."""
        return bool(getattr(self.opts, "dry_run", False))

    @property
    def db(self) -> Database:
        """Connection to the node, in transactions. Raises UsageError when it is no node."""
        if self._db is None:
            db = Database("db", self.cfg.db, application_name=self.cfg.job_name)
            self._state = self._look(db)
            self._db = db
        return self._db

    @property
    def state(self) -> NodeState:
        """What the node was when it was looked at first."""
        _ = self.db
        assert self._state is not None
        return self._state

    @property
    def is_root(self) -> bool:
        """Whether the node is the root of the cascade."""
        return self.state.node_type is NodeType.ROOT

    @property
    def upstream(self) -> Upstream:
        """The nodes above."""
        if self._upstream is None:
            self._upstream = Upstream(self.queue, self.db, self.cfg.remote_extra_connstr)
        return self._upstream

    def _look(self, db: Database) -> NodeState:
        try:
            state = node.worker_state(db, self.queue)
            api.version(db)
        except DatabaseError as exc:
            if exc.sqlstate not in NOT_INSTALLED:
                raise
            raise UsageError(
                f"{exc}: is this the right database? If so: create-root, create-branch or"
                " create-leaf; for a node whose extensions are missing: londiste install"
            ) from exc
        except SkytoolsError as exc:
            if "(404)" not in str(exc):
                raise
            raise UsageError(
                f"db: the database is no node of the cascade of queue {self.queue}; make it one:"
                " create-root, create-branch or create-leaf"
            ) from exc
        db.rollback()
        return state

    def tables(self) -> list[TableInfo]:
        """Return the tables of the set, and end the transaction."""
        found = api.tables(self.db, self.queue)
        self.db.rollback()
        return found

    @contextlib.contextmanager
    def change(self) -> Iterator[Database]:
        """Give a transaction that waits for locks as long as the ini says.

        It is committed at the end, or rolled back when nothing is to be changed.
        """
        limit = max(int(self.cfg.lock_timeout * 1000), 1)
        with self.db.transaction() as db:
            db.execute("set local lock_timeout to %s", (f"{limit}ms",)).close()
            yield db
            if self.dry_run:
                db.rollback()

    def say(self, text: str, *args: Any) -> None:
        """Tell what has been done, or would be."""
        shown = text % args if args else text
        log.info("%s%s", "[dry run] " if self.dry_run else "", shown)

    def result(self, data: Any) -> None:
        """Write what programs read, with --json only."""
        if self.out.as_json:
            self.out.data(data)

    def close(self) -> None:
        """Drop the connections."""
        self.progress.clear()
        if self._upstream is not None:
            self._upstream.close()
        if self._db is not None:
            self._db.close()


@contextlib.contextmanager
def locked(cfg: LondisteConfig, ending: str) -> Iterator[None]:
    """Hold the pidfile of a kind of command, waiting for another one to end."""
    if cfg.pidfile is None or not ending:
        yield
        return
    pidfile = PidFile(cfg.pidfile.with_name(f"{cfg.pidfile.name}.{ending}"))
    end = time.monotonic() + cfg.lock_timeout
    while True:
        try:
            pidfile.acquire()
            break
        except UsageError:
            raise
        except SkytoolsError:
            if time.monotonic() > end:
                raise
        time.sleep(POLL)
    try:
        yield
    finally:
        pidfile.release()


# switches that several commands have


def dry_run(parser: argparse.ArgumentParser) -> None:
    """Add --dry-run."""
    parser.add_argument("--dry-run", action="store_true", help="try it, and change nothing")


def names_or_all(what: str, *, metavar: str) -> Arguments:
    """Return what adds names, patterns and --all."""

    def add(parser: argparse.ArgumentParser) -> None:
        text = f"{what}; may have * and ?, the schema is public without one"
        parser.add_argument("names", nargs="*", metavar=metavar, help=text)
        parser.add_argument("--all", action="store_true", help=f"all {what}")

    return add


def wait_for(condition: Callable[[], bool], seconds: float | None) -> bool:
    """Look until a condition holds; false after `seconds`, None waits for ever."""
    end = None if seconds is None else time.monotonic() + seconds
    while not condition():
        if end is not None and time.monotonic() > end:
            return False
        time.sleep(POLL)
    return True
