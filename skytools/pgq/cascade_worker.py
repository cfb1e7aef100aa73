# SPDX-License-Identifier: ISC
"""The worker of a node: keeps the node in step with its provider.

| node | what its worker does with a batch |
|---|---|
| root | nothing: it publishes the global watermark |
| branch | copies every event with its id, makes the provider's tick, handles events |
| leaf | handles events |
| leaf beside the root of a combined queue | copies events into that too, with new ids |
| leaf beside a branch of a combined queue | follows the position that the combined queue tells |
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import Database
from skytools.core.errors import LostPosition, SkytoolsError
from skytools.core.faultpoint import reach
from skytools.core.service import Context, Pause
from skytools.pgq import api, node
from skytools.pgq.batch import Batch
from skytools.pgq.cascade import CascadedBase, CascadedConfig
from skytools.pgq.node import NodeState, NodeType
from skytools.pgq.producer import carry_events, copy_events
from skytools.pgq.succession import Succession
from skytools.pgq.types import Event
from skytools.pgq.watermark import Watermarks

log = logging.getLogger("skytools")

BLOCK_EVENTS = 500
CASCADE = "pgq."  # what the types of events begin with that are of the cascade itself


@settings
class WorkerConfig(CascadedConfig):
    """Keys of the worker of a node; consumer_name is the name the node was made with."""

    global_wm_publish_period: float = option(
        300, "On the root: how often to tell all nodes what none of them needs any more.",
        unit="s", min=0,
    )  # fmt: skip
    local_wm_publish_period: float = option(
        300, "How often to tell the provider how far this node and those below it are.",
        unit="s", min=0,
    )  # fmt: skip


class CascadedWorker(CascadedBase):
    """Exactly one process for each node of a cascade.

    Override process_event, or process_batch, to work on the events; the base class leaves them.
    """

    Config: ClassVar[type[DaemonConfig]] = WorkerConfig
    cfg: WorkerConfig

    def __init__(self, ctx: Context, cfg: WorkerConfig) -> None:
        super().__init__(ctx, cfg)
        self.watermarks = Watermarks(ctx, cfg.queue_name, cfg.remote_extra_connstr)
        self.succession = Succession(ctx, cfg.queue_name, cfg.remote_extra_connstr)

    def process_event(self, event: Event, target: Database) -> None:
        """Handle one event through `target`, without committing."""

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Handle the events of a batch that are not the cascade's own."""
        process = self.process_event
        for event in batch:
            process(event, target)

    # state

    def read_state(self) -> NodeState:
        """Ask the node where its worker is, and which name it has."""
        state = node.worker_state(self.target, self.cfg.queue_name)
        if state.worker != self.cfg.consumer:
            raise SkytoolsError(
                f"node {state.node_name} of queue {self.cfg.queue_name} has worker {state.worker},"
                f" not {self.cfg.consumer}: set consumer_name"
            )
        return state

    @property
    def follows(self) -> bool:
        """Whether this is a leaf whose events come by the combined queue beside it."""
        return self.state.combined_type is NodeType.BRANCH

    def root_step(self) -> Pause:
        """Publish the global watermark when it is time to, if we still are the root for all."""
        if self.succession.is_closed(self.target, self.state.node_name):
            return self._rest("root, closed for writing")
        self.watermarks.publish_global(self.target, self.cfg.global_wm_publish_period)
        return self._rest("root")

    # one batch

    def accepts(self, batch: Batch) -> bool:
        """Wait until the combined queue has brought what a follower would get ahead of."""
        return not self.follows or batch.tick.id <= self.state.completed_tick

    def is_done(self, batch: Batch) -> bool:
        """Tell whether the node has all of the batch, maybe by the combined queue."""
        done = self.state.completed_tick
        if self.state.combined_type is NodeType.ROOT:
            return batch.tick.id <= done  # was a follower before, and is not yet level
        return batch.tick.id == done

    def work(self, batch: Batch) -> None:
        """Do a batch, or follow; then tell the provider how far we are."""
        self.watermarks.use(self.target, self.state, self.cfg.local_wm_publish_period)
        if self.follows:
            for event in batch:
                if (event.type or "").startswith(CASCADE):
                    self._in_band(event)
            self.target.commit()
            batch.reader.finish(batch)
        else:
            super().work(batch)
        self.watermarks.report(
            self.target, self.db, self.state, batch, self.cfg.local_wm_publish_period
        )

    def apply(self, batch: Batch) -> None:
        """Copy and handle the events of a batch."""
        state = self.state
        if state.node_type is NodeType.BRANCH and state.top_tick != batch.prev_tick.id:
            raise self._broken(batch)
        self.handle(batch, self._apply_part, self.target)
        if state.combined_type is NodeType.ROOT:
            assert state.combined_queue is not None
            extras = (self.cfg.queue_name, None, None, None)
            api.insert_event(
                self.target, state.combined_queue, "pgq.tick-id", str(batch.tick.id), extras
            )

    def _apply_part(self, part: Batch) -> None:
        flow = self._flow(part)
        self.process_batch(part.through(flow), self.target)
        deque(flow, maxlen=0)  # what the handler has left is copied all the same

    def _flow(self, part: Batch) -> Iterator[Event]:
        """Copy events in blocks, handle those of the cascade, let the others through."""
        state = self.state
        block: list[Event] = []
        for event in part:
            if event.retry is not None:
                raise SkytoolsError(f"event {event.id} was retried: a cascade knows no such thing")
            own = (event.type or "").startswith(CASCADE)
            if state.node_type is NodeType.BRANCH:
                block.append(self.watermarks.translated(event))
            elif state.combined_type is NodeType.ROOT and not own:
                block.append(event)
            if len(block) >= BLOCK_EVENTS:
                self._write(block)
            if own:
                self._in_band(event)
            else:
                yield event
        self._write(block)

    def _write(self, block: list[Event]) -> None:
        state = self.state
        if not block:
            return
        if state.node_type is NodeType.BRANCH:
            # A branch takes events from nobody else. Handlers work in the role they expect.
            self.target.execute("set local session_replication_role to replica").close()
            copy_events(self.target, self.cfg.queue_name, block)
            self.target.execute("set local session_replication_role to default").close()
        elif state.combined_queue is not None:
            carry_events(self.target, state.combined_queue, block)
        block.clear()

    def _in_band(self, event: Event) -> None:
        """Do what an event of the cascade itself says, in the transaction of the batch."""
        queue, target = self.cfg.queue_name, self.target
        if event.type == "pgq.tick-id":
            if event.extra1 == queue or event.extra1 is None:
                raise SkytoolsError(f"event {event.id}: tick of a partition names no other queue")
            if self.state.node_type is NodeType.BRANCH:
                node.set_partition_watermark(target, queue, event.extra1, int(event.data or 0))
            return
        if event.extra1 != queue:
            raise SkytoolsError(f"event {event.id}: {event.type} is for queue {event.extra1}")
        if event.type == "pgq.location-info":
            node.register_location(
                target, queue, event.data or "", event.extra2, dead=event.extra3 == "true"
            )
        elif event.type == "pgq.unregister-location":
            node.unregister_location(target, queue, event.data or "")
        elif event.type == "pgq.global-watermark":
            if self.state.node_type is NodeType.BRANCH:
                self.watermarks.arrived(target, int(event.data or 0))
        else:
            raise SkytoolsError(f"event {event.id}: {event.type} is unknown to this version")

    def after(self, batch: Batch, *, fresh: bool) -> None:
        """Make the provider's tick in a branch, unless an earlier run has."""
        if self.state.node_type is not NodeType.BRANCH:
            return
        top = batch.prev_tick.id if fresh else self.state.top_tick
        if top == batch.tick.id:
            return
        if top != batch.prev_tick.id:
            raise self._broken(batch)
        self.target.rollback()
        tick = batch.tick
        node.make_tick(self.target, self.cfg.queue_name, tick.id, tick.time, tick.event_seq)
        reach("cascade-ticked")

    def _broken(self, batch: Batch) -> LostPosition:
        return LostPosition(
            f"{self._name()}: the node's worker is at tick {self.state.completed_tick}, its queue"
            f" at tick {self.state.top_tick}, and the provider delivers ticks"
            f" {batch.prev_tick.id} to {batch.tick.id}: the node must be made anew"
        )
