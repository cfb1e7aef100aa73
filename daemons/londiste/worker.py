# SPDX-License-Identifier: ISC
"""The worker of a node: keeps its tables in step with those of the provider."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, ClassVar

from skytools.core.config import DaemonConfig
from skytools.core.db import Database
from skytools.core.service import Context, Pause
from skytools.daemons.londiste import api
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.metrics import WorkerMetrics
from skytools.daemons.londiste.replay import OF_SET, Replay
from skytools.daemons.londiste.sync import LOOK_SECONDS, Sync
from skytools.daemons.londiste.verify.audit import Audit
from skytools.pgq import Batch, CascadedWorker, Event
from skytools.pgq import api as pgq
from skytools.pgq.batch import BatchReader
from skytools.pgq.cascade_worker import BLOCK_EVENTS, CASCADE
from skytools.pgq.isolate import Handler
from skytools.pgq.node import NodeState, NodeType
from skytools.pgq.producer import carry_events, copy_events
from skytools.pgq.types import BatchInfo

log = logging.getLogger("skytools")

# Statements that are planned once and touch many rows.
SETTINGS = "set jit = off; set work_mem = '64MB'; set temp_buffers = '64MB'"
# On the root: how many loop_delays pass between looks at sequences.
ROOT_DELAYS = 10
# How often the provider is asked how much waits, in seconds.
PENDING_SECONDS = 5.0
# A leaf that is behind takes ticks of about so many slices as one batch, at most.
MOST_SLICES = 8


class LondisteWorker(CascadedWorker):
    """Applies the events of tables that the node is subscribed to.

    All of a batch is one transaction in the node's database, together with its position and with
    the states of tables.
    """

    Config: ClassVar[type[DaemonConfig]] = LondisteConfig
    service_name = "londiste"
    description = "Replicate tables over a cascade of queues."
    cfg: LondisteConfig

    def __init__(self, ctx: Context, cfg: LondisteConfig) -> None:
        super().__init__(ctx, cfg)
        self.metrics = WorkerMetrics(ctx.metrics, cfg.queue_name)
        self.sync = Sync(self)
        self.replay: Replay | None = None
        self._role_on: object = None  # the connection that has the role of a replica
        self._version = ""
        self._where: str | None = None
        self._block: list[Event] = []
        self.audit = Audit(ctx.metrics, cfg)
        self._seqs_at = self._pending_at = float("-inf")
        self._last_seq: int | None = None  # of the last batch, if there was no rest since

    # one round

    def look(self) -> NodeState:
        """Read the state of the node."""
        self.audit.start()
        with self.target.alone():
            state = super().look()
        self.metrics.node(state)
        return state

    def root_step(self) -> Pause:
        """Publish watermark and sequences."""
        now = self.ctx.clock.monotonic()
        if now - self._seqs_at >= ROOT_DELAYS * self.cfg.loop_delay:
            self._seqs_at = now
            api.root_check_seqs(self.target, self.cfg.queue_name)
            self.target.commit()
        return super().root_step()

    def _idle(self) -> Pause:
        self._last_seq = None
        looked = self.sync.look_due()
        if looked:
            self.sync.idle()
        self._told_pending()
        pause = self.sync.pause(super()._idle())
        return pause if looked else Pause(min(pause.seconds, LOOK_SECONDS), pause.wake)

    def reload(self, cfg: LondisteConfig) -> None:  # type: ignore[override] # its own keys
        """Take a new configuration between two batches."""
        super().reload(cfg)
        self._let_go()

    def close(self) -> None:
        """End the copies, the audit and the thread of the applier."""
        self.audit.close()
        self.sync.close()
        if self.replay is not None:
            self.replay.out.close()
        super().close()

    # batches

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader of the provider's queue."""
        options = self.reader_options(where)
        return _Reader(self, self.db, self.cfg.queue_name, self.position_name, **options)

    def _only_ours(self) -> str | None:
        """Return the condition of the events that a leaf reads with local_only."""
        if not self.cfg.local_only:
            return None
        if self.state.node_type is not NodeType.LEAF or self.state.combined_queue:
            log.warning("local_only has no effect: all events are handed on by this node")
            return None
        kinds = "ev_type like 'pgq.%' or ev_type like 'londiste.%'"
        if not self.cfg.local_only_drop_execute:
            kinds += " or ev_type = 'EXECUTE'"
        assert self.replay is not None
        tables = [one.name for one in self.replay.tables.values() if one.local]
        ours = pgq.table_condition(self.target, tables)
        return f"({kinds} or {ours})"

    def gathers(self) -> int | None:
        """Return the event number from which on ticks may be put together; None: they may not.

        Only a leaf that has not rested since its last batch may leave ticks out, and not while a
        copy waits at one.
        """
        if self.state.node_type is not NodeType.LEAF or self.follows or self.sync.offered:
            return None
        return self._last_seq

    def work(self, batch: Batch) -> None:
        """Do a batch; or, beside a branch of a combined queue, only what is told of the set."""
        if not self.follows:
            super().work(batch)
            self._last_seq = batch.tick.event_seq
            return
        self.watermarks.use(self.target, self.state, self.cfg.local_wm_publish_period)
        replay = self._ready(batch)
        for event in batch:
            kind = event.type or ""
            if kind.startswith(CASCADE):
                self._in_band(event)
            elif kind.startswith(OF_SET):
                replay.registry(event)
        replay.finish()
        self.target.commit()
        batch.reader.finish(batch)
        self.watermarks.report(
            self.target, self.db, self.state, batch, self.cfg.local_wm_publish_period
        )

    def handle(self, batch: Batch, handler: Handler, *databases: Database) -> None:
        """Apply a batch; a fault is found by the applier, not event by event."""
        replay = self._ready(batch)
        self.sync.before_batch(batch)
        try:
            handler(batch)
            outcome = replay.finish()
        except BaseException:
            self._let_go()
            raise
        self.metrics.applied(outcome.applied)
        self.metrics.missed(outcome.missed, outcome.slow)

    def after(self, batch: Batch, *, fresh: bool) -> None:
        """Make the tick of a branch; let the copies go on."""
        super().after(batch, fresh=fresh)
        self.sync.after_commit(batch)
        lag = self.ctx.clock.time() - batch.tick.time.timestamp()
        self.metrics.position(lag)

    def failed(self, batch: Batch, exc: Exception) -> None:
        """Forget what is known of a database in which something was not as expected."""
        self._let_go()
        super().failed(batch, exc)

    def _let_go(self) -> None:
        self._version = ""
        self._block.clear()
        if self.replay is not None:
            self.replay.abandon()
            self.replay.out.close()
            self.replay = None

    def _ready(self, batch: Batch) -> Replay:
        """Return the replay with the tables as they are now, in the role of a replica."""
        target, queue = self.target, self.cfg.queue_name
        connection = target.connect()
        if connection is not self._role_on:
            target.commit()
            api.set_replication_role(target, "replica", local=False)
            target.execute(SETTINGS).close()
            target.commit()
            self._let_go()
            self._role_on = connection
        if self.replay is None:
            self.replay = Replay(target, self.cfg, self.sync)
        version = api.tables_version(target, queue)
        if version != self._version:
            self.refresh()
            self._version = version
            self._where = self._only_ours()
        if self._where is not None:
            batch.reader.where = self._where
        self.replay.begin(batch)
        return self.replay

    def refresh(self) -> None:
        """Read the tables of the set anew."""
        tables = api.tables(self.target, self.cfg.queue_name)
        self.sync.refresh(tables)
        self.metrics.tables(tables)
        if self.replay is not None:
            self.replay.use(tables)

    # events

    def _apply_part(self, part: Batch) -> None:
        replay = self.replay
        assert replay is not None
        branch = self.state.node_type is NodeType.BRANCH
        merges = self.state.combined_type is NodeType.ROOT
        if branch or merges:
            replay.run(self._kept(part, all_of_them=branch), self._in_band)
            self._write_block()
        else:
            replay.run(part, self._in_band)

    def _kept(self, part: Batch, *, all_of_them: bool) -> Iterator[Event]:
        """Keep events for subscribers, and let them through."""
        for event in part:
            kind = event[4] or ""
            if kind.startswith(CASCADE):
                if all_of_them:
                    self._block.append(self.watermarks.translated(event))
            elif all_of_them or not kind.startswith(OF_SET):
                self._keep(event)
            yield event

    def _keep(self, event: Event) -> None:
        assert self.replay is not None
        kept = self.replay.forward(event)
        if kept is not None:
            self._block.append(kept)
        if len(self._block) >= BLOCK_EVENTS:
            self._write_block()

    def _write_block(self) -> None:
        """Write what subscribers of this node, or of the combined queue, shall get."""
        if not self._block:
            return
        self._settle()
        state = self.state
        if state.node_type is NodeType.BRANCH:
            copy_events(self.target, self.cfg.queue_name, self._block)
        elif state.combined_queue is not None:
            carry_events(self.target, state.combined_queue, self._block)
        self._block.clear()

    def _settle(self) -> None:
        if self.replay is not None:
            self.replay.out.settle()

    # what is told

    def _told_pending(self) -> None:
        now = self.ctx.clock.monotonic()
        if now - self._pending_at < PENDING_SECONDS:
            return
        self._pending_at = now
        found = pgq.consumer_info(self.db, self.cfg.queue_name, self.position_name)
        self.db.commit()
        for one in found:
            self.metrics.position(one.lag.total_seconds(), one.pending_events)


class _Reader(BatchReader):
    """Asks for batches of many ticks while the node is behind."""

    def __init__(self, worker: LondisteWorker, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._worker = worker

    def open(self) -> BatchInfo | None:
        """Ask for all ticks there are, where that is right; else, or when none is due, for one."""
        after, limited = self._worker.gathers(), self.min_count or self.min_interval or self.min_lag
        if after is not None and not limited:
            rows = self._worker.cfg.apply_slice_rows
            # Copies come to the worker's ticks: these are left out only when it is far behind.
            found = pgq.next_batches(
                self.db, self.queue, self.consumer, after_seq=after,
                least=rows // 10 if self._worker.sync.active else 1, most=MOST_SLICES * rows,
            )  # fmt: skip
            if found is not None:
                return found
        return super().open()
