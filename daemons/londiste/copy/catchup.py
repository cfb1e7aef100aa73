# SPDX-License-Identifier: ISC
"""The third phase of a copy: the events since, up to the tick at which the worker takes over.

The copy reads the queue as the worker does, for its table only. Once it is level with the worker
or ahead of it, it stops and says at which tick (wanna-sync); the worker takes the table over when
it is at that very tick. When the worker is just ahead it asks the copy to come to its tick, and
waits for that a moment (do-sync).

A script (EXECUTE) is for the worker alone: the copy stops before the batch that has it, unless
the worker has done that batch.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from skytools.core.db import Database
from skytools.core.errors import LostPosition, SkytoolsError, TransientError
from skytools.core.faultpoint import reach
from skytools.daemons.londiste import api, copies, handlers
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.apply import Applier
from skytools.daemons.londiste.apply.changes import TRUNCATE, operation_of
from skytools.daemons.londiste.copy.finish import unregister_at
from skytools.daemons.londiste.copy.job import POLL_SECONDS, Anew, Job
from skytools.daemons.londiste.copy.source import tick_snapshot
from skytools.daemons.londiste.replay import EXECUTE, apply_options
from skytools.daemons.londiste.states import (
    CATCHING_UP,
    MISSING,
    Snapshot,
    Stage,
    State,
    wanna_sync,
)
from skytools.pgq import api as pgq
from skytools.pgq import node
from skytools.pgq.batch import Batch, BatchReader
from skytools.pgq.node import NodeState
from skytools.pgq.types import Event

log = logging.getLogger("skytools")

# So many ticks behind the worker is near: it may be asked to wait for us.
NEAR_TICKS = 3
NEAR_SECONDS = 0.25
FORCE_SECONDS = 1.0
# While far behind, a batch has about so many events of all tables, instead of one tick.
GATHER_EVENTS = 20000


class ScriptAheadError(SkytoolsError):
    """The batch has a script that the worker has not done yet."""


class CatchUp:
    """Applies the events of one table, from state catching-up to ok."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cfg = job.cfg
        self.position: NodeState = self._read_position()
        self._provider: Database | None = None
        self._reader: BatchReader | None = None
        self._channel = ""
        self._forced = float("-inf")
        self._seconds = 0.0  # that the last batch took
        self._step_by_step = False  # ticks are not put together up to the worker's position
        self._applier = Applier(job.db, apply_options(self.cfg))

    def run(self) -> None:
        """Go on until the worker has the table. Raises Anew, Gone, Stopped, LostPosition."""
        try:
            while not self.step():
                pass
        finally:
            self._applier.close()
        if self._provider is not None:
            # The connection is kept, and nobody would read what it hears.
            self._provider.rollback()
            self._provider.unlisten(self._channel)

    # where we are

    def _read_position(self) -> NodeState:
        """Return where the copy's consumer is; a copy of 3.x without one is begun anew."""
        try:
            found = node.consumer_state(self.job.db, self.job.queue, self.job.consumer)
        except TransientError:
            raise
        except SkytoolsError as exc:
            self.job.db.rollback()
            raise self._anew(f"its position is lost: {exc}") from exc
        self.job.db.rollback()
        return found

    def _anew(self, why: str) -> Anew:
        """Set the table back to be copied again."""
        self.job.row()
        self.job.set_state(MISSING)
        self.job.db.commit()
        log.warning("%s: is copied anew: %s", self.job.name, why)
        return Anew(f"{self.job.name}: {why}")

    def _worker(self) -> NodeState:
        return node.worker_state(self.job.db, self.job.queue)

    @property
    def done(self) -> int:
        """The tick up to which all is applied."""
        return self.position.completed_tick

    # one round

    def step(self) -> bool:
        """Do one batch, or wait; true when the worker has taken the table over."""
        job = self.job
        row = job.row()
        state, worker = State.parse(row.state), self._worker()
        if state.stage is Stage.OK:
            job.db.rollback()
            return True
        if state.stage in {Stage.MISSING, Stage.IN_COPY}:
            job.db.rollback()
            raise Anew(f"{job.name}: was set back")
        if state.stage is Stage.WANNA_SYNC or (state.stage is Stage.DO_SYNC and self._there(state)):
            job.db.rollback()
            job.wait(POLL_SECONDS)
            return False
        if row.snapshot is None and worker.provider_node != self.position.provider_node:
            job.db.rollback()
            self._move(worker)
            return False
        job.db.rollback()
        if self._may_stop(row, state, worker):
            self._offer(state)
            return False
        behind = worker.completed_tick - self.done
        self._step_by_step = self._step_by_step and behind > 0
        gather = behind > NEAR_TICKS and state.tick is None and not self._step_by_step
        self._advance(row, state, gather=gather)
        return False

    def _there(self, state: State) -> bool:
        """Answer a worker that waits for us at a tick; true when we have come to it."""
        if state.tick == self.done:
            self.job.set_state(wanna_sync(self.done))
        elif state.tick is not None and state.tick < self.done:
            self.job.set_state(CATCHING_UP)
        else:
            return False
        self.job.db.commit()
        return True

    def _may_stop(self, row: TableInfo, state: State, worker: NodeState) -> bool:
        """Whether the table can be offered to the worker before another batch is looked for."""
        if row.snapshot is not None or state.stage is not Stage.CATCHING_UP:
            return False
        ahead = self.done - worker.completed_tick
        near = ahead >= -NEAR_TICKS and self._seconds < NEAR_SECONDS
        return (ahead >= 0 or near) and not _is_merging(self.job)

    def _offer(self, state: State) -> None:
        """Say at which tick the table is, if nothing has changed meanwhile."""
        row = self.job.row()
        if State.parse(row.state) == state:
            self.job.set_state(wanna_sync(self.done))
            self.job.db.commit()
            log.info("%s: is at tick %d, for the worker to take over", self.job.name, self.done)
            reach("copy-wanna-sync")
        else:
            self.job.db.rollback()

    def _advance(self, row: TableInfo, state: State, *, gather: bool) -> None:
        batch = None
        if state.stage is Stage.DO_SYNC or not _is_merging(self.job):
            batch = self._next_batch(state.tick, gather=gather)
        if batch is None:
            if (
                row.snapshot is None
                and state.stage is Stage.CATCHING_UP
                and not _is_merging(self.job)
            ):
                self._offer(state)
            else:
                self._idle(row)
            return
        try:
            self._apply(batch, row)
        except ScriptAheadError:
            self._applier.abandon()
            self.job.db.rollback()
            if gather:
                self._step_by_step = True  # up to the tick before the script
                self._take_position(batch.reader.db, self.done)
                return
            if row.snapshot is None and state.stage is Stage.CATCHING_UP:
                self._offer(state)
            self.job.wait(POLL_SECONDS / 5)
        except BaseException:
            self._applier.abandon()
            self.job.db.rollback()
            raise

    def _idle(self, row: TableInfo) -> None:
        """Wait for a tick; the first after the snapshot is asked for."""
        provider = self._provider
        if provider is None:  # nothing is read as long as other queues copy into the table
            self.job.wait(POLL_SECONDS)
            return
        now = self.job.ctx.clock.monotonic()
        if row.snapshot is not None and now - self._forced > FORCE_SECONDS:
            self._forced = now
            pgq.force_tick(provider, self.job.queue)
            provider.commit()
        if not provider.notifies():
            self.job.wait(POLL_SECONDS, (provider,))

    # the provider

    def _connect(self) -> BatchReader:
        """Connect to the node that the position is of, and take the consumer there to it."""
        state = self.position
        if state.provider_location is None:
            raise SkytoolsError(f"where node {state.provider_node} is, is not known")
        location = f"{state.provider_location} {self.cfg.remote_extra_connstr}".strip()
        name = f"node {state.provider_node}"
        db = self._provider = self.job.connections.get("events", name, location, self.job.name)
        with self._or_anew(state):
            self._take_position(db, self.done)
        wanted = pgq.table_condition(db, [self.job.name])
        self._channel = f"pgq_tick_{pgq.queue_id(db, self.job.queue)}"
        db.commit()
        db.listen(self._channel)
        self._reader = BatchReader(
            db,
            self.job.queue,
            self.job.consumer,
            block_rows=self.cfg.pgq_lazy_fetch,
            where=f"({wanted} or ev_type = '{EXECUTE}')",
            ordered=True,
            alive=self.job.look,
        )
        return self._reader

    @contextlib.contextmanager
    def _or_anew(self, state: NodeState) -> Iterator[None]:
        """Begin anew when the node cannot be reached and the worker has left it, too."""
        try:
            yield
        except TransientError as exc:
            worker = self._worker()
            row = self.job.row()
            self.job.db.rollback()
            if worker.provider_node == state.provider_node or row.snapshot is None:
                raise
            raise self._anew(f"node {state.provider_node} is away: {exc}") from exc

    def _take_position(self, db: Database, tick: int) -> None:
        """Put the consumer at a tick; wait for it where the node has not come to it yet."""
        while not pgq.tick_exists(db, self.job.queue, tick):
            newest = pgq.queue_info(db, self.job.queue)[0].last_tick_id
            db.commit()
            if newest > tick:
                raise self._anew(f"{db.name} has no tick {tick} any more")
            self.job.wait(POLL_SECONDS / 5)
            self.job.look()
        pgq.register_consumer_at(db, self.job.queue, self.job.consumer, tick)
        db.commit()

    def _move(self, worker: NodeState) -> None:
        """Follow the worker to its new provider: ticks are the same there."""
        job, old = self.job, self.position
        log.warning("%s: goes on at node %s, as the worker does", job.name, worker.provider_node)
        node.register_consumer(job.db, job.queue, job.consumer, worker.provider_node, self.done)
        job.db.commit()
        if self._provider is not None:
            self._provider.close()
            self._provider = self._reader = None
        self.position = self._read_position()
        self._connect()
        unregister_at(job.db, self.cfg, job.connections, old.provider_node, job.consumer)
        reach("copy-moved")

    def _next_batch(self, last: int | None, *, gather: bool) -> Batch | None:
        """Open the next batch: of many ticks with `gather`; it ends at tick `last` at most."""
        reader = self._reader or self._connect()
        reader.min_count = GATHER_EVENTS if gather else None
        batch = reader.next()
        if batch is None and gather:
            reader.min_count = None
            batch = reader.next()
        if batch is not None and last is not None and batch.tick.id > last:
            # Was opened before we were asked to come to a tick in its midst.
            self._take_position(reader.db, self.done)
            batch = reader.next()
        if batch is not None and batch.prev_tick.id != self.done:
            raise LostPosition(
                f"{self.job.name}: the copy has done all up to tick {self.done}, but"
                f" {reader.db.name} delivers ticks {batch.prev_tick.id} to {batch.tick.id}"
            )
        return batch

    # one batch

    def _apply(self, batch: Batch, row: TableInfo) -> None:
        started = self.job.ctx.clock.monotonic()
        job = self.job
        now = job.row()
        state = State.parse(now.state)
        if (state.stage not in {Stage.CATCHING_UP, Stage.DO_SYNC}) or now.attrs != row.attrs:
            job.db.rollback()
            return  # the next round sees what it is
        assert state.tick is None or batch.tick.id <= state.tick
        snapshot = None if row.snapshot is None else Snapshot.parse(row.snapshot)
        count = self._apply_events(batch, row, snapshot)
        if snapshot is not None:
            at = tick_snapshot(batch.reader.db, job.queue, batch.tick.id)
            if at is not None and at.covers(snapshot):
                api.set_table_state(job.db, job.queue, job.name, None, state.text)
        pgq.make_durable(job.db)
        node.set_completed(job.db, job.queue, job.consumer, batch.tick.id)
        reach("copy-applied")
        job.db.commit()
        reach("copy-caught")
        batch.reader.finish(batch)
        self.position = self._read_position()
        self._seconds = job.ctx.clock.monotonic() - started
        if count:
            log.debug("%s: %d events up to tick %d", job.name, count, batch.tick.id)

    def _apply_events(self, batch: Batch, row: TableInfo, snapshot: Snapshot | None) -> int:
        out, count = self._applier, 0
        handler = handlers.make(row, self.cfg)
        process = None
        for event in batch:
            if event.type == EXECUTE:
                _check_script(batch, event, self._worker().completed_tick)
                out.forget()
                continue
            if snapshot is not None and snapshot.sees(event.txid):
                continue
            count += 1
            if process is None:
                handler.prepare(batch, out)
                process = handler.bind(batch, out)
            if operation_of(event.type or "")[0] == TRUNCATE:
                handler.flush(batch, out)
                handler.truncate(event, batch, out)
            else:
                process(event)
                out.took(len(event.data or ""))
        handler.flush(batch, out)
        out.batch_ends()
        batch.require_read()
        return count


def _is_merging(job: Job) -> bool:
    """Tell whether copies of other queues keep this one from catching up."""
    row = copies.local_table(job.db, job.queue, job.name)
    shared = row is not None and copies.tables_sharing(job.db, job.queue, row.dest)
    job.db.rollback()
    return bool(shared) and job.role().copy_role is not None


def _check_script(batch: Batch, event: Event, done: int) -> None:
    if done < batch.tick.id:
        batch.skip()
        raise ScriptAheadError(f"script {event.extra1} is for the worker")
