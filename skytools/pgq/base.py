# SPDX-License-Identifier: ISC
"""What all consumers share: registration, waiting for ticks, counting, telling of failures."""

from __future__ import annotations

import argparse
import logging
from typing import ClassVar

from skytools.core.config import DaemonConfig
from skytools.core.db import Database
from skytools.core.errors import (
    NOT_INSTALLED,
    DatabaseError,
    FatalStateError,
    SkytoolsError,
    TransientError,
)
from skytools.core.service import AGAIN, Context, Daemon, Pause
from skytools.pgq import api
from skytools.pgq.batch import Batch, BatchReader, ReaderOptions
from skytools.pgq.config import ConsumerConfig
from skytools.pgq.isolate import Failures, Handler, one_by_one
from skytools.pgq.stats import ConsumerStats
from skytools.pgq.types import RetryLimits

log = logging.getLogger("skytools")

STATUS_SECONDS = 2.0


class BaseConsumer(Daemon[ConsumerConfig]):
    """A daemon that reads one queue. Subclasses say what is done with a batch: work()."""

    Config: ClassVar[type[DaemonConfig]] = ConsumerConfig
    # Whether a batch must be known to be open on disk before it is worked on.
    durable: ClassVar[bool] = False
    # Whether events must be worked on in their order, so that none can be put off.
    ordered: ClassVar[bool] = False

    def __init__(self, ctx: Context, cfg: ConsumerConfig) -> None:
        super().__init__(ctx, cfg)
        self.stats = ConsumerStats(ctx.metrics, ctx.clock)
        self.channel = ""
        self._reader: BatchReader | None = None
        self._failures = Failures()
        self._seen_registered = False
        self.last_tick = 0  # that of the last finished batch
        self._seen_tick = 0  # the newest that was announced, or finished
        self._status_at = 0.0

    @property
    def db(self) -> Database:
        """The queue's database. Work done here is committed with the batch."""
        cfg = self.cfg
        return self.ctx.database(
            "db", cfg.db, autocommit=cfg.pgq_autocommit, lifetime=cfg.connection_lifetime
        )

    def close(self) -> None:
        """Say what was done since the last report. Source: Daemon."""
        self.stats.report(last=True)

    def accepts(self, batch: Batch) -> bool:
        """Tell whether it is time to work on a batch; otherwise it stays open for a later look."""
        return True

    def work(self, batch: Batch) -> None:
        """Do the work of a batch and finish it."""
        raise AssertionError(f"{type(self).__name__} must define work()")

    def handle(self, batch: Batch, handler: Handler, *databases: Database) -> None:
        """Give the batch to the handler; event by event when it has failed too often.

        `databases` are those whose open transaction has the work.
        """
        cfg = self.cfg
        if self._failures.count(batch) < cfg.batch_tries:
            handler(batch)
            return
        log.warning("%s: batch %d: event by event now", self._name(), batch.id)
        max_faults = cfg.max_faults if cfg.max_tries and not self.ordered else 0
        one_by_one(batch, handler, databases, max_faults)

    # the loop

    def step(self) -> Pause:
        """Read and work on one batch."""
        self.db.check_lifetime()
        reader = self.reader
        try:
            batch = reader.next()
        except DatabaseError:
            self._reader = None  # the next step looks what has changed
            raise
        if batch is None or not self.accepts(batch):
            return self._idle()
        started = self.ctx.clock.monotonic()
        try:
            self.work(batch)
        except FatalStateError:
            raise  # says by itself where it is
        except Exception as exc:
            self.failed(batch, exc)
            raise
        self._seen_tick = self.last_tick = batch.tick.id
        self._done(batch, self.ctx.clock.monotonic() - started)
        self._ends(idle=False)
        return AGAIN

    def _idle(self) -> Pause:
        """Wait for the ticker's notification, or for the next look."""
        self.stats.report()
        if self._ends(idle=True):
            return AGAIN
        if not self.channel:
            return Pause(self.cfg.loop_delay)
        payloads = [n.payload for n in self.db.notifies() if n.channel == self.channel]
        newest = max((int(text) for text in payloads if text.isdecimal()), default=0)
        if newest > self._seen_tick:
            # Came after next_batch had looked. Kept in mind, lest a tick that is held back
            # by pgq_keep_lag makes a busy loop.
            self._seen_tick = newest
            return AGAIN
        return Pause(self.cfg.loop_delay, wake=(self.db,))

    def _ends(self, *, idle: bool) -> bool:
        """Ask the process to end when loop_delay says so: 0 when idle, negative at once."""
        delay = self.cfg.loop_delay
        if delay < 0 or (idle and delay == 0):
            self.ctx.signals.stop = True
            return True
        return False

    def _done(self, batch: Batch, seconds: float) -> None:
        log.debug("batch %d: %d events in %.3f s", batch.id, batch.events, seconds)
        for fate in batch.reader.fates:
            until = f"is tried again at {fate.retry_after}" if fate.retry_after else "is dead"
            log.error("%s: event %d %s, tries: %d", self._name(), fate.event_id, until, fate.tries)
        self.stats.finished(batch, seconds)
        self.stats.report()
        now = self.ctx.clock.monotonic()
        if now - self._status_at >= STATUS_SECONDS:
            self._status_at = now
            lag = self.ctx.clock.time() - batch.tick.time.timestamp()
            self.ctx.notify.status(f"{self._name()}: at tick {batch.tick.id}, lag {lag:.1f} s")

    def failed(self, batch: Batch, exc: Exception) -> None:
        """Say where it happened; the service loop says what, rolls back and waits."""
        self.stats.failed()
        if not isinstance(exc, TransientError):
            self._failures.add(batch)
        event = f"event {batch.current.id}" if batch.current else "no event read"
        where = f"{self._name()}: batch {batch.id}, {event}"
        log.error("%s: failed: %s", where, str(exc) or type(exc).__name__)
        exc.add_note(where)

    def _name(self) -> str:
        return f"queue {self.cfg.queue_name}, consumer {self.cfg.consumer}"

    @property
    def reader(self) -> BatchReader:
        """The place in the queue; made, and the consumer registered, when there is none."""
        return self._reader or self._subscribe()

    # registration

    def _subscribe(self) -> BatchReader:
        """Make sure that queue and consumer exist, listen for ticks, make the reader."""
        cfg = self.cfg
        queue_id = self.queue_id()
        if cfg.max_tries and not self.ordered and not api.has_dead_letters(self.db):
            raise SkytoolsError(
                "max_tries needs PgQ 4.0 in the database: run there alter extension pgq update,"
                " or leave max_tries out"
            )
        if not self.registered():
            self._auto_register()
        self._seen_registered = True
        self.db.commit()
        self._listen(f"pgq_tick_{queue_id}")
        where = api.table_condition(self.db, _with_schema(cfg.table_filter))
        self.db.commit()
        self.stats.use(cfg.queue_name, cfg.consumer, cfg.keepalive_stats)
        self._reader = self.make_reader(where if cfg.table_filter else None)
        log.info("reading %s", self._name())
        self.ctx.notify.status(f"{self._name()}: reading")
        return self._reader

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader of the queue; `where` is the condition of the events wanted."""
        return BatchReader(
            self.db, self.cfg.queue_name, self.cfg.consumer, **self.reader_options(where)
        )

    def reader_options(self, where: str | None) -> ReaderOptions:
        """Return what the configuration says about reading."""
        cfg = self.cfg
        return {
            "block_rows": cfg.pgq_lazy_fetch,
            "min_count": cfg.pgq_batch_collect_events or None,
            "min_interval": cfg.pgq_batch_collect_interval,
            "min_lag": cfg.pgq_keep_lag,
            "where": where,
            "durable": self.durable,
            "ordered": self.ordered,
            "limits": RetryLimits(max(1, cfg.max_tries), cfg.retry_first, cfg.retry_longest),
            "alive": self.ctx.notify.watchdog,
        }

    def queue_id(self) -> int:
        """Return the queue's number. Raises SkytoolsError that says what is missing."""
        queue = self.cfg.queue_name
        try:
            found = api.queue_id(self.db, queue)
        except DatabaseError as exc:
            if exc.sqlstate not in NOT_INSTALLED:
                raise
            raise SkytoolsError(
                "db: the database has no PgQ; run there: create extension pgq"
            ) from exc
        if found is None:
            raise SkytoolsError(
                f"db: queue {queue} does not exist; make it: select pgq.create_queue('{queue}')"
            )
        return found

    def registered(self) -> bool:
        """Tell whether the consumer is registered on the queue."""
        return bool(api.consumer_info(self.db, self.cfg.queue_name, self.cfg.consumer))

    def _auto_register(self) -> None:
        if self._seen_registered:
            raise SkytoolsError(
                f"{self._name()}: was unregistered while running; to register it at the newest"
                " tick restart the process or use --register"
            )
        if not self.cfg.auto_register:
            raise SkytoolsError(
                f"{self._name()}: is not registered; run with --register, or set auto_register = 1"
            )
        self.register()

    def register(self) -> None:
        """Register the consumer at the newest tick, committed."""
        if self.register_now():
            log.warning("%s: registered; it gets the events from now on", self._name())
        else:
            log.info("%s: is registered already", self._name())
        self.db.commit()

    def unregister(self) -> None:
        """Forget the consumer's place and its retry events, committed."""
        if self.unregister_now():
            log.warning("%s: unregistered", self._name())
        else:
            log.info("%s: was not registered", self._name())
        self.db.commit()

    def register_now(self) -> bool:
        """Register in the open transaction; false when it is registered already."""
        return api.register_consumer(self.db, self.cfg.queue_name, self.cfg.consumer)

    def unregister_now(self) -> bool:
        """Unregister in the open transaction; false when it was not registered."""
        return bool(api.unregister_consumer(self.db, self.cfg.queue_name, self.cfg.consumer))

    def _listen(self, channel: str) -> None:
        """Ask for the ticker's notifications; where that is refused, loop_delay has to do."""
        if self.channel and self.channel != channel:
            self.db.unlisten(self.channel)
        self.channel = ""
        try:
            self.db.listen(channel)
        except DatabaseError as exc:
            self.db.rollback()
            log.warning("no notifications, looking every %g s: %s", self.cfg.loop_delay, exc)
        else:
            self.channel = channel

    # the program

    def reload(self, cfg: ConsumerConfig) -> None:
        """Take a new configuration between two batches."""
        super().reload(cfg)
        self._reader = None
        self._seen_registered = False

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Declare --register and --unregister."""
        for command, text in cls.commands().items():
            parser.add_argument(
                f"--{command}", dest="command", action="store_const", const=command, help=text
            )

    @classmethod
    def commands(cls) -> dict[str, str]:
        """Return switch -> help of what is done instead of running."""
        return {
            "register": "register the consumer on the queue and end",
            "unregister": "unregister the consumer and end",
        }

    def command(self, opts: argparse.Namespace) -> None:
        """Do what a switch asks for."""
        self.queue_id()
        getattr(self, opts.command)()
        self.db.commit()


def _with_schema(tables: tuple[str, ...]) -> list[str]:
    return [name if "." in name else f"public.{name}" for name in tables]
