# SPDX-License-Identifier: ISC
"""Several processes that share one consumer: each batch goes to one of them (pgq_coop)."""

from __future__ import annotations

import time
from typing import ClassVar

from skytools.core.config import REQUIRED, DaemonConfig, option, settings
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.faultpoint import reach
from skytools.pgq import api
from skytools.pgq.base import BaseConsumer
from skytools.pgq.batch import Batch, BatchReader
from skytools.pgq.config import ConsumerConfig, check_interval
from skytools.pgq.types import BatchInfo, Event

# A sign of life is given this often at most; subconsumer_timeout should be a few times longer.
HEARTBEAT_SECONDS = 1.0


@settings
class CoopConsumerConfig(ConsumerConfig):
    """Keys of one of several processes that share a consumer."""

    subconsumer_name: str = option(
        REQUIRED, "Name of this process among those that share the consumer.", example="one"
    )
    subconsumer_timeout: str | None = option(
        None,
        "Take over the batch of a sibling that gave no sign of life for this long. Longer than"
        " one event takes, with pgq_coop 3 longer than a batch. Empty: never.",
        check=check_interval,
    )

    def faults(self) -> list[tuple[str, str]]:
        """Check keys that exclude each other, and the name."""
        found = ConsumerConfig.faults(self)
        if "." in self.subconsumer_name:
            found.append(("subconsumer_name", "must not have a dot: it parts consumer and name"))
        return found


class CoopReader(BatchReader):
    """The place of a subconsumer: batches come from the cursor of the group.

    While a batch is worked on, signs of life go out through `heart`, a connection of its own
    in autocommit (None: the server cannot hear them).
    """

    subconsumer: str
    dead_interval: str | None
    heart: Database | None = None
    _beat_at = 0.0

    def open(self) -> BatchInfo | None:
        """Ask for the next batch of the group, or that of a dead sibling. Committed at once."""
        self._beat_at = time.monotonic()
        return api.coop_next_batch(
            self.db,
            self.queue,
            self.consumer,
            self.subconsumer,
            min_lag=self.min_lag,
            min_count=self.min_count,
            min_interval=self.min_interval,
            dead_interval=self.dead_interval,
        )

    def close(self, batch_id: int) -> bool:
        """Close the batch, unless a sibling has taken it over."""
        return api.coop_finish_batch(self.db, batch_id)

    def beat(self) -> None:
        """Say that we are alive. Raises SkytoolsError when a sibling has our batch."""
        now = time.monotonic()
        if self.heart is None or self._batch is None or now < self._beat_at + HEARTBEAT_SECONDS:
            return
        self._beat_at = now
        if not api.coop_heartbeat(self.heart, self._batch.id):
            raise SkytoolsError(
                f"queue {self.queue}: batch {self._batch.id} was taken over by another"
                f" subconsumer of {self.consumer}; is subconsumer_timeout too short?"
            )


class CoopConsumer(BaseConsumer):
    """Shares a queue with its siblings: processes of one consumer, each with its own batches.

    There is no order between siblings. What the handler does through `self.db` is committed with
    the batch, and not at all when a sibling has taken it over meanwhile.
    """

    Config: ClassVar[type[DaemonConfig]] = CoopConsumerConfig
    durable = True
    cfg: CoopConsumerConfig

    def process_event(self, event: Event) -> None:
        """Handle one event. An error fails the batch, which is tried again after a pause."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, batch: Batch) -> None:
        """Handle a batch: iterate over it. Override this to work on many events at once."""
        process = self.process_event
        for event in batch:
            process(event)

    def work(self, batch: Batch) -> None:
        """Handle a batch and commit it."""
        reach("coop-opened")
        self.handle(batch, self.process_batch, self.db)
        reach("coop-done")
        batch.reader.finish(batch)

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader of this subconsumer."""
        cfg = self.cfg
        reader = CoopReader(self.db, cfg.queue_name, cfg.consumer, **self.reader_options(where))
        reader.subconsumer = cfg.subconsumer_name
        reader.dead_interval = cfg.subconsumer_timeout
        if cfg.subconsumer_timeout and api.has_coop(self.db)[1]:
            reader.heart = self.ctx.database(
                "heartbeat", cfg.db, autocommit=True, lifetime=cfg.connection_lifetime
            )

        def alive() -> None:
            self.ctx.notify.watchdog()
            reader.beat()

        reader.alive = alive
        self.db.commit()
        return reader

    # registration

    def registered(self) -> bool:
        """Tell whether this subconsumer is registered."""
        if not api.has_coop(self.db)[0]:
            raise SkytoolsError(
                "db: the database has no pgq_coop; run there: create extension pgq_coop"
            )
        cfg = self.cfg
        name = f"{cfg.consumer}.{cfg.subconsumer_name}"
        return bool(api.consumer_info(self.db, cfg.queue_name, name))

    def register_now(self) -> bool:
        """Register the subconsumer, and the consumer at the newest tick."""
        cfg = self.cfg
        return api.coop_register(self.db, cfg.queue_name, cfg.consumer, cfg.subconsumer_name)

    def unregister_now(self) -> bool:
        """Remove the subconsumer; refused while it has an open batch."""
        cfg = self.cfg
        return api.coop_unregister(self.db, cfg.queue_name, cfg.consumer, cfg.subconsumer_name)

    def _name(self) -> str:
        return f"{super()._name()}, subconsumer {self.cfg.subconsumer_name}"
