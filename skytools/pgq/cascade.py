# SPDX-License-Identifier: ISC
"""Consumers of a cascade: they read the provider of their node and work in its database.

The position is in the node's own database and is committed with the work, exactly once. It fits
every node of the cascade, so a consumer goes on where it was when its provider changes.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import Database, check_conninfo
from skytools.core.errors import (
    NOT_INSTALLED,
    DatabaseError,
    LostPosition,
    SkytoolsError,
    TransientError,
    UsageError,
)
from skytools.core.faultpoint import reach
from skytools.core.service import AGAIN, Context, Pause
from skytools.core.signals import HasFileno
from skytools.pgq import api, node
from skytools.pgq.base import BaseConsumer
from skytools.pgq.batch import Batch, BatchReader
from skytools.pgq.config import ConsumerConfig
from skytools.pgq.node import NodeState, NodeType
from skytools.pgq.types import Event

log = logging.getLogger("skytools")

# Where pgq_node 4.0 announces that an administrator has changed a state; the payload is the queue.
CHANNEL = "pgq_node"


@settings
class CascadedConfig(ConsumerConfig):
    """Keys of a consumer in a cascade; `db` is the database of its node, where the work is done."""

    remote_extra_connstr: str = option(
        "", "Added to the connect strings of other nodes.", check=check_conninfo
    )


class CascadedBase(BaseConsumer):
    """What consumer and worker of a node share: state of the node, provider, position."""

    Config: ClassVar[type[DaemonConfig]] = CascadedConfig
    durable = True
    ordered = True
    # Writers may wait for this node: it becomes the root.
    first_rest = 0.25
    cfg: CascadedConfig

    def __init__(self, ctx: Context, cfg: CascadedConfig) -> None:
        super().__init__(ctx, cfg)
        self._state: NodeState | None = None
        self._had_error = True  # what an earlier process left is cleared once we work
        self._hears = True

    @property
    def target(self) -> Database:
        """The node's own database."""
        return self.ctx.database("db", self.cfg.db, lifetime=self.cfg.connection_lifetime)

    @property
    def db(self) -> Database:
        """The provider's database. Known once the state of the node is."""
        if self.state.provider_location is None:
            raise SkytoolsError(
                f"{self._name()}: where {self.state.provider_node} is, is not known"
            )
        location = f"{self.state.provider_location} {self.cfg.remote_extra_connstr}".strip()
        return self.ctx.database("provider", location, lifetime=self.cfg.connection_lifetime)

    @property
    def state(self) -> NodeState:
        """Where the node was when it was looked at last."""
        return self._state or self.look()

    def read_state(self) -> NodeState:
        """Ask the node where this consumer is."""
        return node.consumer_state(self.target, self.cfg.queue_name, self.cfg.consumer)

    @property
    def position_name(self) -> str:
        """The name under which the node keeps the position, and the provider knows us."""
        return self.cfg.consumer

    def look(self) -> NodeState:
        """Read the state of the node. A provider that has moved is connected to anew."""
        self.target.check_lifetime()
        if self._hears:
            self._hear()
        try:
            fresh = self.read_state()
            self.target.commit()
        except DatabaseError as exc:
            if exc.sqlstate not in NOT_INSTALLED:
                raise
            raise SkytoolsError(
                "db: the database has no pgq_node; make it a node of the cascade"
            ) from exc
        old, self._state = self._state, fresh
        if old is not None and _source(old) != _source(fresh):
            self._reader = None
        return fresh

    # the loop

    def step(self) -> Pause:
        """Look at the node's state, tell administrators that we have, then do one batch."""
        state = self.look()
        queue, name = self.cfg.queue_name, self.position_name
        if not state.uptodate:
            node.set_uptodate(self.target, queue, name)
        if state.error is not None and not self._had_error:
            node.set_error(self.target, queue, name, None)
        self.target.commit()
        self._had_error = False
        if state.paused:
            return self._rest("paused")
        if state.node_type is NodeType.ROOT:
            return self.root_step()
        try:
            return super().step()
        except TransientError:
            raise
        except Exception as exc:
            self._tell(exc)
            raise

    def root_step(self) -> Pause:
        """Stand by: the root has nobody to read from."""
        return self._rest("stands by, as the node is the root")

    def _rest(self, why: str) -> Pause:
        self.ctx.notify.status(f"{self._name()}: {why}")
        self._ends(idle=True)
        return self._until_told(Pause(self.cfg.loop_delay))

    def _idle(self) -> Pause:
        return self._until_told(super()._idle())

    def _hear(self) -> None:
        """Ask for announcements of the node; where that is refused, loop_delay has to do.

        What was announced until now is seen by this step, so it is dropped.
        """
        try:
            self.target.listen(CHANNEL)
            self.target.notifies()
        except DatabaseError as exc:
            self.target.rollback()
            self._hears = False
            log.warning("changes of the node are seen every %g s: %s", self.cfg.loop_delay, exc)

    def _until_told(self, pause: Pause) -> Pause:
        """Wait for announcements of the node too."""
        if not self._hears or not pause.seconds:
            return pause
        ours = (CHANNEL, self.cfg.queue_name)
        told = [(one.channel, one.payload) for one in self.target.notifies()]
        if any(one == ours or one[0] != CHANNEL for one in told):
            return AGAIN  # came after the state was read
        return Pause(pause.seconds, wake=(*pause.wake, self.target))

    def wake_early(self) -> Sequence[HasFileno]:
        """Let an administrator's change end the wait after an error: a new provider may help."""
        if not self._hears:
            return ()
        try:
            self.target.connect()
        except SkytoolsError:
            return ()
        return (self.target,)

    def _tell(self, exc: Exception) -> None:
        """Leave the error in the node's state, for those who look at the cascade."""
        self._had_error = True
        self.target.rollback()
        try:
            node.set_error(self.target, self.cfg.queue_name, self.position_name, str(exc))
            self.target.commit()
        except SkytoolsError as second:
            log.warning("the error could not be noted in the node: %s", second)
            self.target.rollback()

    # one batch

    def work(self, batch: Batch) -> None:
        """Do a batch that was not done yet; finish it at the provider."""
        reach("cascade-opened")
        done = self.state.completed_tick
        if self.is_done(batch):
            log.info("%s: batch %d had been done", self._name(), batch.id)
            self.after(batch, fresh=False)
            batch.skip()
        elif done == batch.prev_tick.id:
            self.apply(batch)
            batch.require_read()
            reach("cascade-applied")
            api.make_durable(self.target)  # before the provider forgets the batch
            self._complete(batch)
            self.target.commit()
            reach("cascade-committed")
            self.after(batch, fresh=True)
        else:
            raise LostPosition(
                f"{self._name()}: the node has done all up to tick {done}, but the provider"
                f" {self.state.provider_node} delivers ticks {batch.prev_tick.id} to"
                f" {batch.tick.id}. If the node is right: --rewind; if the provider is: --reset"
            )
        reach("cascade-told")
        batch.reader.finish(batch)
        reach("cascade-finished")

    def _complete(self, batch: Batch) -> None:
        """Note the position. Raises when the node has become root since the batch was begun.

        A root takes no more. The position is locked when the state is read, and promote_branch
        waits for it, so this cannot change before the commit.
        """
        tick = batch.tick.id
        node.send_completed(self.target, self.cfg.queue_name, self.position_name, tick)
        state = self.read_state()
        if state.completed_tick != tick:
            raise SkytoolsError(
                f"{self._name()}: the position was not noted: it is {state.completed_tick} instead"
                f" of {tick}"
            )
        if state.node_type is NodeType.ROOT:
            raise TransientError(
                f"{self._name()}: the node has become root, batch {batch.id} is left alone"
            )

    def is_done(self, batch: Batch) -> bool:
        """Tell whether the node has all of the batch."""
        return self.state.completed_tick == batch.tick.id

    def apply(self, batch: Batch) -> None:
        """Do the work of a batch through `target`, without committing."""
        raise AssertionError(f"{type(self).__name__} must define apply()")

    def after(self, batch: Batch, *, fresh: bool) -> None:
        """Do what follows the commit; again when it may have been missed (not `fresh`)."""

    # registration

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader of the provider's queue."""
        options = self.reader_options(where)
        return BatchReader(self.db, self.cfg.queue_name, self.position_name, **options)

    def registered(self) -> bool:
        """Tell whether the provider knows us."""
        return bool(api.consumer_info(self.db, self.cfg.queue_name, self.position_name))

    def _auto_register(self) -> None:
        raise SkytoolsError(
            f"{self._name()}: is not registered at the provider {self.state.provider_node}"
        )

    def rewind(self) -> None:
        """Move the provider's position to the node's."""
        tick = self.state.completed_tick
        api.register_consumer_at(self.db, self.cfg.queue_name, self.position_name, tick)
        self.db.commit()
        log.warning("%s: continues after tick %d", self._name(), tick)

    def reset(self) -> None:
        """Take the provider's position for the node."""
        found = api.consumer_info(self.db, self.cfg.queue_name, self.position_name)
        if not found:
            self._auto_register()
        tick = found[0].last_tick
        node.set_completed(self.target, self.cfg.queue_name, self.position_name, tick)
        self.target.commit()
        self.db.rollback()
        log.warning("%s: continues after tick %d", self._name(), tick)

    @classmethod
    def commands(cls) -> dict[str, str]:
        """Return switch -> help of what is done instead of running."""
        return {
            "rewind": "move the provider's position to the node's and end",
            "reset": "take the provider's position for the node and end",
        }

    def command(self, opts: argparse.Namespace) -> None:
        """Do what a switch asks for."""
        getattr(self, opts.command)()


class CascadedConsumer(CascadedBase):
    """A consumer of a node, beside its worker: handles events in the node's database.

    On the root it only stands by. Events of the cascade itself (pgq.*) are left out.
    """

    _provider = ""

    def process_event(self, event: Event, target: Database) -> None:
        """Handle one event through `target`, without committing."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Handle a batch through `target`, without committing."""
        process = self.process_event
        for event in batch:
            process(event, target)

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader of the provider's queue, without the events of the cascade itself."""
        ours = "(ev_type is null or ev_type not like 'pgq.%')"
        return super().make_reader(f"({where}) and {ours}" if where else ours)

    def apply(self, batch: Batch) -> None:
        """Handle a batch."""
        self.handle(batch, lambda part: self.process_batch(part, self.target), self.target)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Declare --register with its --provider, and the rest."""
        super().add_arguments(parser)
        parser.add_argument("--provider", default="", help="connect string for --register")

    @classmethod
    def commands(cls) -> dict[str, str]:
        """Return switch -> help of what is done instead of running."""
        return {
            "register": "register at --provider, and at the node from there on, and end",
            "unregister": "unregister at the provider and at the node and end",
            **super().commands(),
        }

    def command(self, opts: argparse.Namespace) -> None:
        """Do what a switch asks for."""
        self._provider = opts.provider
        super().command(opts)

    def register(self) -> None:
        """Register at the provider at its newest tick, then at the node."""
        if not self._provider:
            raise UsageError("--register needs --provider=CONNSTR")
        fault = check_conninfo(self._provider)
        if fault:
            raise UsageError(f"--provider {fault}")
        queue, name = self.cfg.queue_name, self.cfg.consumer
        provider = self.ctx.database("provider", self._provider)
        api.register_consumer(provider, queue, name)
        provider_node = node.node_name(provider, queue)
        (info,) = api.consumer_info(provider, queue, name)
        provider.commit()
        node.register_consumer(self.target, queue, name, provider_node, info.last_tick)
        self.target.commit()
        log.warning("%s: registered at %s after tick %d", self._name(), provider_node,
                    info.last_tick)  # fmt: skip

    def unregister(self) -> None:
        """Forget the consumer at the provider, then at the node."""
        if api.unregister_consumer(self.db, self.cfg.queue_name, self.cfg.consumer):
            log.warning("%s: unregistered", self._name())
        self.db.commit()
        node.unregister_consumer(self.target, self.cfg.queue_name, self.cfg.consumer)
        self.target.commit()


def _source(state: NodeState) -> tuple[str | None, str]:
    return state.provider_location, state.node_type
