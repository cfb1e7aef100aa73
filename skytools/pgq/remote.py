# SPDX-License-Identifier: ISC
"""Exactly once into another database: the position is committed there with the work."""

from __future__ import annotations

import logging
from typing import ClassVar

from skytools.core.config import DaemonConfig
from skytools.core.db import Database
from skytools.core.errors import NOT_INSTALLED, DatabaseError, LostPosition, SkytoolsError
from skytools.core.faultpoint import reach
from skytools.pgq import api
from skytools.pgq.base import BaseConsumer
from skytools.pgq.batch import Batch, BatchReader
from skytools.pgq.config import RemoteConsumerConfig
from skytools.pgq.types import Event

log = logging.getLogger("skytools")

# Under these parts of the consumer's name the target notes events that were put off.
_PARTS = ("retry", "fault")
_LOOK_EVENTS = 1000


class RemoteConsumer(BaseConsumer):
    """Works in the database `dst_db`, each event exactly once whatever dies and when.

    The tick that ends a batch is stored in the target (pgq_ext) by the transaction of the work,
    and only then the batch is finished at the source. A batch that comes again although the
    target has it is not worked on twice. The consumer's name must be unique in the target.
    Events that are put off are noted there as well, so that these come again once, too.
    """

    Config: ClassVar[type[DaemonConfig]] = RemoteConsumerConfig
    durable = True
    cfg: RemoteConsumerConfig

    @property
    def target(self) -> Database:
        """The database of the work."""
        return self.ctx.database("dst_db", self.cfg.dst_db, lifetime=self.cfg.connection_lifetime)

    def process_event(self, event: Event, target: Database) -> None:
        """Handle one event through `target`, without committing."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Handle a batch through `target`, without committing."""
        process = self.process_event
        for event in batch:
            process(event, target)

    def work(self, batch: Batch) -> None:
        """Handle a batch, commit work and position at the target, then finish at the source."""
        reach("batch-opened")
        target = self.target
        target.check_lifetime()
        if self._is_applied(batch):
            self._skip(batch)
            return
        reach("target-begun")
        self.handle(batch, lambda part: self.process_batch(part, target), target, self.db)
        batch.require_read()
        reach("work-done")
        api.set_target_position(target, self.cfg.consumer, batch.tick.id)
        self._note_put_off(batch)
        reach("position-set")
        target.commit()
        reach("target-committed")
        batch.reader.finish(batch)
        reach("batch-finished")

    def _is_applied(self, batch: Batch) -> bool:
        """Compare the positions. Raises LostPosition when they do not fit together."""
        position = self._position()
        if position is None:
            # A consumer of Skytools 3 has left the number of its last batch instead.
            return api.is_batch_done(self.target, self.cfg.consumer, batch.id)
        if position == batch.prev_tick.id:
            return False
        if position == batch.tick.id:
            return True
        raise self._lost(
            position,
            f"the source is about to deliver ticks {batch.prev_tick.id} to {batch.tick.id}",
        )

    def _lost(self, position: int, source: str) -> LostPosition:
        return LostPosition(
            f"{self._name()}: dst_db has applied all up to tick {position}, but {source}."
            " If dst_db is right, continue there: --rewind; if the source is right: --reset"
        )

    def _position(self) -> int | None:
        try:
            return api.target_position(self.target, self.cfg.consumer)
        except DatabaseError as exc:
            if exc.sqlstate not in NOT_INSTALLED:
                raise
            raise SkytoolsError(
                "dst_db: the database has no pgq_ext; run there: create extension pgq_ext"
            ) from exc

    def _skip(self, batch: Batch) -> None:
        """Finish at the source what the target had committed before something died."""
        log.warning("%s: batch %d had been applied, not done again", self._name(), batch.id)
        self._put_off_again(batch)
        batch.reader.finish(batch)

    def _note_put_off(self, batch: Batch) -> None:
        """Note in the target which events were put off: the source hears of them only later."""
        for part, ids in zip(_PARTS, batch.reader.put_off_ids, strict=True):
            if ids:
                api.set_events_done(self.target, self.cfg.consumer, part, batch.id, ids)

    def _put_off_again(self, batch: Batch) -> None:
        """Put the events off that a run before us had, and could not tell the source of."""
        pending: list[Event] = []

        def look() -> None:
            ids = [event.id for event in pending]
            retries, faults = (
                api.which_events_done(self.target, self.cfg.consumer, part, batch.id, ids)
                for part in _PARTS
            )
            for event in pending:
                if event.id in retries:
                    event.tag_retry()
                if event.id in faults:
                    batch.reader.give_up(
                        batch, event, "failed; the process died before it said why"
                    )
            pending.clear()

        try:
            for event in batch:
                pending.append(event)
                if len(pending) >= _LOOK_EVENTS:
                    look()
            look()
        except DatabaseError:
            self.db.rollback()  # not open any more; finish() tells
            batch.skip()
        batch.skipped, batch.events = batch.events, 0
        self.target.rollback()

    # registration

    def _subscribe(self) -> BatchReader:
        """Look at the target too: not ready while it cannot be worked in."""
        self._position()
        self.target.rollback()
        return super()._subscribe()

    def _auto_register(self) -> None:
        position = self._position()
        self.target.rollback()
        if position is not None:
            raise self._lost(position, "the consumer is not registered at the source")
        super()._auto_register()

    def register(self) -> None:
        """Register at the newest tick; what the target remembers of an older life is forgotten."""
        if not self.registered():
            self.reset()
        super().register()

    def unregister(self) -> None:
        """Forget the consumer at the source and in the target."""
        super().unregister()
        self.reset()

    def reset(self) -> None:
        """Forget the target's position: the source's is taken for right."""
        self._position()
        api.set_target_position(self.target, self.cfg.consumer, None)
        self.target.commit()

    def rewind(self) -> None:
        """Move the consumer at the source to the target's position, registering it if need be."""
        position = self._position()
        self.target.rollback()
        if position is None:
            raise SkytoolsError(f"dst_db: no position of consumer {self.cfg.consumer} is known")
        api.register_consumer_at(self.db, self.cfg.queue_name, self.cfg.consumer, position)
        self.db.commit()
        log.warning("%s: continues after tick %d", self._name(), position)

    @classmethod
    def commands(cls) -> dict[str, str]:
        """Return switch -> help of what is done instead of running."""
        return {
            **super().commands(),
            "rewind": "move the consumer to the position that dst_db remembers and end",
            "reset": "forget the position that dst_db remembers and end",
        }


class SerialConsumer(RemoteConsumer):
    """A RemoteConsumer that keeps the order: no event is put off, whatever the ini says."""

    ordered = True
