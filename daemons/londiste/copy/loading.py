# SPDX-License-Identifier: ISC
"""The first phase of a copy: the rows, as of one snapshot of the source.

| table | how it is loaded |
|---|---|
| small | one transaction: DELETE, COPY; readers see the old rows until it commits |
| big | foreign keys to it and indexes go, TRUNCATE, each committed; several processes load pieces |
| skip_truncate, or merged with other queues | one transaction that appends |

A load that was broken off begins again: the big one with TRUNCATE, the others have left nothing.
A table that several queues bring rows to is emptied by the first of them (role lead), once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from skytools.core.db import Database, sql
from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.core.faultpoint import reach
from skytools.daemons.londiste import api, copies, handlers
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy import columns, ranges, session, structure
from skytools.daemons.londiste.copy.columns import Relation
from skytools.daemons.londiste.copy.job import POLL_SECONDS, Anew, Job
from skytools.daemons.londiste.copy.load import Work, load_here, load_parallel, order_for
from skytools.daemons.londiste.copy.progress import Progress
from skytools.daemons.londiste.copy.rows import row_filter
from skytools.daemons.londiste.copy.source import NotYet, Source, Start
from skytools.daemons.londiste.handlers import Handler
from skytools.daemons.londiste.names import ident
from skytools.daemons.londiste.states import CATCHING_UP, IN_COPY, State, in_sync
from skytools.pgq import node

log = logging.getLogger("skytools")

MAX_PARALLEL = 8
MAX_CONNECTIONS = 4
# A lock that a reader or the worker does not let us have: who queues behind us waits that long.
LOCK_TIMEOUT = "500ms"
LEAD, WAIT_COPY = "lead", "wait-copy"
# After that long another table may be copied in the place of one whose source is not ready.
PATIENCE = 15.0
FEATURE_NOT_SUPPORTED = "0A000"


@dataclass(frozen=True, slots=True)
class Way:
    """How a table is loaded."""

    parallel: bool  # by pieces, each committed by itself
    empties: bool
    drops: bool  # indexes and foreign keys


def connections(cfg: LondisteConfig) -> int:
    """Return how many connections work on a big table."""
    return cfg.copy_threads or min(MAX_CONNECTIONS, os.cpu_count() or 1)


class Loading:
    """Loads one table."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job = job
        self.cfg = job.cfg
        self.progress = progress
        self._looked = 0.0

    def run(self) -> None:
        """Load, from state in-copy to catching-up. Raises Anew, Gone, Stopped."""
        table = self._wait_for_role()
        source = Source(self.job.db, self.cfg, table, self.job.connections)
        report = self.progress.report
        self.progress.report = self._reported(report)
        try:
            self._patiently(source.prepare)
            self._load(source, table)
        finally:
            self.progress.report = report
            source.end()

    def _reported(self, inner: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """Look at the state as often as progress is told."""

        def report(progress: Progress) -> None:
            inner(progress)
            self.look()

        return report

    def look(self) -> None:
        """See whether the load is still wanted, a few times a second."""
        self.job.look()
        now = self.job.ctx.clock.monotonic()
        if now - self._looked > POLL_SECONDS:
            self._looked = now
            self.job.check(IN_COPY)

    def _patiently(self, step: Callable[[], object]) -> None:
        """Repeat a step until what it waits for has happened. Raises NotYet after a while."""
        told = ""
        deadline = self.job.ctx.clock.monotonic() + PATIENCE
        while True:
            try:
                step()
            except NotYet as exc:
                if self.job.ctx.clock.monotonic() > deadline:
                    raise
                if str(exc) != told:
                    told = str(exc)
                    self.job.tell(f"waits: {told}")
            else:
                return
            self.job.wait(POLL_SECONDS)
            self.look()

    def _wait_for_role(self) -> TableInfo:
        """Wait until it is our turn among those that are merged; return the table's row."""
        while True:
            table = self.job.role()
            if State.parse(table.state) != IN_COPY:
                raise Anew(f"{self.job.name}: is {table.state or 'to be copied'} now")
            most = int(table.attrs.get("max_parallel_copy") or MAX_PARALLEL)
            if table.copy_role != WAIT_COPY and table.copy_pos < most:
                return table
            self.job.tell("waits for the copies of other queues")
            self.job.wait(POLL_SECONDS)

    # the load

    def _load(self, source: Source, table: TableInfo) -> None:
        theirs = columns.read_relation(source.facts, table.name)
        ours = columns.read_relation(self.job.db, table.dest)
        self.progress.source_bytes, self.progress.source_rows = ranges.size_of(source.facts, theirs)
        self.job.db.rollback()
        handler = handlers.make(table, self.cfg)
        way = self._choose(table, ours, handler)
        if way.drops:
            self._clear(table, ours, truncate=way.empties)
        taken: list[tuple[Start, str]] = []
        self._patiently(lambda: taken.append(source.take()))
        start, exported = taken[0]
        reach("copy-snapshot")
        work, theirs = self._work(source, table, handler)
        self.job.tell(f"copies from {source.name}, {len(work.pieces)} pieces")
        if way.parallel:
            self._by_pieces(source, work, exported)
            dest = self.job.db
        else:
            dest = self.job.loading("load")
            self._at_once(source, dest, work, handler, empty=way.empties and not way.drops)
        self._done(dest, start)

    def _choose(self, table: TableInfo, ours: Relation, handler: Handler) -> Way:
        keep = table.attrs.get("skip_truncate", "0") not in {"", "0"}
        others = copies.tables_sharing(self.job.db, self.job.queue, table.dest)
        self.job.db.rollback()
        if others:
            return self._merged(table, others, keep=keep)
        small = max(self.progress.source_bytes, ours.size) < ranges.PARALLEL_BYTES
        if keep or handler.maps_rows:
            return Way(parallel=False, empties=not keep, drops=not keep and not small)
        if small and table.dropped_ddl is None:
            return Way(parallel=False, empties=True, drops=False)
        return Way(parallel=True, empties=True, drops=True)

    def _merged(self, table: TableInfo, others: list[tuple[str, TableInfo]], *, keep: bool) -> Way:
        done = [queue for queue, one in others if in_sync(one.state)]
        first = table.copy_role == LEAD and table.dropped_ddl is None
        if done and not keep and (first or table.copy_role is None):
            raise SkytoolsError(
                f"{table.dest}: has rows of queue {', '.join(done)}, which are in sync; a copy"
                " would empty it. Copy it anew in all queues (resync), or set skip_truncate"
            )
        return Way(parallel=False, empties=first and not keep, drops=first)

    def _work(self, source: Source, table: TableInfo, handler: Handler) -> tuple[Work, Relation]:
        db = self.job.db
        theirs = columns.read_relation(source.rows, table.name)
        ours = columns.read_relation(db, table.dest)
        conditions = (handler.copy_condition(db), table.attrs.get("copy_condition"))
        condition = " and ".join(f"({one})" for one in conditions if one) or None
        db.rollback()
        binary = columns.both_binary(source.rows, db) and not handler.maps_rows
        mapping = columns.match(theirs, ours, binary=binary)
        for side, names in (("source", mapping.only_source), ("destination", mapping.only_dest)):
            if names:
                log.warning("%s: only the %s has: %s", table.name, side, ", ".join(names))
        pieces = ranges.pieces(source.rows, theirs, connections(self.cfg))
        return Work(pieces, mapping, table.dest, condition), theirs

    def _by_pieces(self, source: Source, work: Work, exported: str) -> None:
        order = order_for(source.rows, self.job.db, work, exported, self.job.db.application_name)
        self.job.db.rollback()
        load_parallel(
            source.rows,
            order,
            work,
            self.progress,
            connections=connections(self.cfg),
            look=self.look,
        )

    def _at_once(
        self, source: Source, dest: Database, work: Work, handler: Handler, *, empty: bool
    ) -> None:
        encoding = "UTF8" if handler.maps_rows else session.server_encoding(source.rows)
        session.use_encoding(source.rows, dest, encoding)
        if empty:
            only = "" if columns.read_relation(dest, work.dest).partitioned else "only "
            query = sql.SQL("delete from {}{}").format(sql.SQL(only), ident(work.dest))
            dest.execute(query).close()
        change = row_filter(handler, work.mapping) if handler.maps_rows else None
        load_here(source.rows, dest, work, self.progress, change)

    def _done(self, dest: Database, start: Start) -> None:
        """Commit the load together with the place from where events are applied."""
        reach("copy-loaded")
        row = copies.locked_table(dest, self.job.queue, self.job.name)
        if row is None or State.parse(row.state) != IN_COPY:
            dest.rollback()
            raise Anew(f"{self.job.name}: was set back")
        text = None if start.snapshot is None else start.snapshot.text
        api.set_table_state(dest, self.job.queue, self.job.name, text, CATCHING_UP.text)
        node.register_consumer(dest, self.job.queue, self.job.consumer, start.node, start.tick)
        dest.commit()
        reach("copy-committed")
        self.job.tell(f"{self.progress.rows} rows copied")

    # what is in the way

    def _clear(self, table: TableInfo, ours: Relation, *, truncate: bool) -> None:
        """Take away what a load would have to keep up, and the rows. Committed in steps."""
        for fkey in api.find_table_fkeys(self.job.db, table.dest):
            if fkey.to_table == table.dest:
                self._soon(partial(self._drop_fkey, fkey.from_table, fkey.name))
        self.job.db.rollback()
        self._soon(lambda: self._drop(table, ours, truncate=truncate))

    def _soon(self, step: Callable[[], object]) -> None:
        """Do a step that needs a lock; others never wait for us to get it for long."""
        db = self.job.db
        while True:
            try:
                db.rollback()
                db.execute(f"set local lock_timeout to '{LOCK_TIMEOUT}'").close()
                step()
                db.commit()
            except TransientError as exc:
                db.rollback()
                log.info("%s: %s; again", self.job.name, exc)
            else:
                return
            self.job.wait(POLL_SECONDS)
            self.look()

    def _drop_fkey(self, from_table: str, name: str) -> None:
        api.drop_table_fkey(self.job.db, from_table, name)
        reach("copy-fkey")

    def _drop(self, table: TableInfo, ours: Relation, *, truncate: bool) -> None:
        """Drop indexes and empty the table, with all that is needed to bring them back kept."""
        db = self.job.db
        db.execute(
            sql.SQL("lock table {} in access exclusive mode").format(ident(table.dest))
        ).close()
        row = self.job.require(IN_COPY)
        dropped = structure.drop(db, ours)
        kept = structure.SEPARATOR.join(text for text in (row.dropped_ddl, dropped) if text)
        api.set_table_struct(db, self.job.queue, self.job.name, kept or None)
        if truncate:
            _truncate(db, table.dest, ours)
        reach("copy-dropped")


def _truncate(db: Database, dest: str, relation: Relation) -> None:
    """Empty a table; by DELETE where a foreign key to its parent forbids TRUNCATE."""
    only = sql.SQL("" if relation.partitioned else "only ")
    db.execute("savepoint skytools_truncate").close()
    try:
        db.execute(sql.SQL("truncate {}{}").format(only, ident(dest))).close()
    except DatabaseError as exc:
        if exc.sqlstate != FEATURE_NOT_SUPPORTED:
            raise
        db.execute("rollback to savepoint skytools_truncate").close()
        db.execute(sql.SQL("delete from {}{}").format(only, ident(dest))).close()
