# SPDX-License-Identifier: ISC
"""Parallel work without losing order: the events of a key go to one worker, in their order.

One thread reads the queue once and deals its events out (Feed); each worker is a thread with
connections and a position of its own. A worker that is left behind reads by itself until it has
caught up, so one slow key holds up only the keys of its worker.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import Row
from skytools.core.errors import FatalStateError
from skytools.core.notify import Notifier
from skytools.core.service import Context, Pause
from skytools.core.signals import Signals
from skytools.pgq import api
from skytools.pgq.base import BaseConsumer
from skytools.pgq.batch import Batch, BatchReader
from skytools.pgq.config import ConsumerConfig
from skytools.pgq.feed import Feed, Window
from skytools.pgq.keyed_worker import Worker
from skytools.pgq.layout import OldLayouts, Slots, positions, worker_name
from skytools.pgq.types import Event

log = logging.getLogger("skytools")

SWITCH_SECONDS = 0.02
# How often is looked whether the workers are done, at the end of a run that ends by itself.
DRAIN_POLL = 0.02
COLLECT_AFTER = 20_000


@settings
class KeyedConsumerConfig(ConsumerConfig):
    """Keys of a consumer with parallel workers."""

    workers: int = option(
        4, "How many workers; may be changed at any time, with a restart.", min=1, max=1000
    )
    key_field: str = option(
        "extra1",
        "Field of the event whose value is its key: events of one key are worked on in their"
        " order, by one worker.",
        choices=("type", "data", "extra1", "extra2", "extra3", "extra4"),
    )
    backlog_events: int = option(
        20_000, "Events kept in memory for workers; who is further behind reads anew.", min=1
    )

    def faults(self) -> list[tuple[str, str]]:
        """Check keys that exclude each other."""
        found = ConsumerConfig.faults(self)
        if self.pgq_autocommit:
            found.append(("pgq_autocommit", "does not go with workers"))
        if self.pgq_batch_collect_events or self.pgq_batch_collect_interval:
            found.append(("pgq_batch_collect_events", "collecting does not go with workers"))
        return found


class KeyedReader(BatchReader):
    """The place of one worker, for when it reads by itself: only events of its keys."""

    consumer_class: KeyedConsumer

    def blocks(self, batch_id: int, cursor: str) -> Iterator[list[Row]]:
        """Yield the rows of the worker's keys."""
        mine = self.consumer_class.is_mine
        assert self._batch is not None
        tick = self._batch.tick.id
        for rows in super().blocks(batch_id, cursor):
            yield [row for row in rows if mine(Event(*row), tick)]


class KeyedConsumer(BaseConsumer):
    """Works on different keys in parallel and on the events of one key in their order.

    Each worker is an instance of the class with its own `self.db`: what the handler does through
    it is committed with the worker's position, exactly once. Handlers must not share data
    without locks. Python runs one thread at a time: this is for work that waits (for databases,
    other servers); for work that computes use CoopConsumer, or more processes.
    """

    Config: ClassVar[type[DaemonConfig]] = KeyedConsumerConfig
    cfg: KeyedConsumerConfig

    def __init__(self, ctx: Context, cfg: KeyedConsumerConfig) -> None:
        super().__init__(ctx, cfg)
        self.number: int | None = None  # which worker this is; None: the one that reads
        self.old = OldLayouts({})
        self.group_name = cfg.consumer
        self._feed: Feed | None = None
        self._slots = Slots(cfg.workers)
        self._crew: list[tuple[Worker, threading.Thread]] = []

    def event_key(self, event: Event) -> str | None:
        """Return the key of an event; override it for keys that are in no field by themselves."""
        key: str | None = getattr(event, self.cfg.key_field)
        return key

    def process_event(self, event: Event) -> None:
        """Handle one event. An error fails the batch, which is tried again after a pause."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, batch: Batch) -> None:
        """Handle a worker's part of a batch: iterate over it."""
        process = self.process_event
        for event in batch:
            process(event)

    def work(self, batch: Batch) -> None:
        """Deal the batch out; in a worker that reads by itself: handle it and commit it."""
        if self.number is None:
            self._deal(batch)
        else:
            self.handle(batch, self.process_batch, self.db)
        batch.reader.finish(batch)

    def is_mine(self, event: Event, tick: int) -> bool:
        """Tell whether an event of the window that ends with `tick` is this worker's to do."""
        key = self.event_key(event)
        return self._slots[key] == self.number and not self.old.has_done(key, tick)

    # the reading thread

    def step(self) -> Pause:
        """Read and deal out one batch, and see that the workers are there."""
        if self.number is None and self._reader is not None:
            self._watch()
        return super().step()

    def _ends(self, *, idle: bool) -> bool:
        """As any consumer, but not before the workers have done what was read for them."""
        if self.number is not None:
            return False  # the reading thread says when
        delay = self.cfg.loop_delay
        if delay < 0 or (idle and delay == 0):
            while not self.ctx.stopping and any(w.done < self.last_tick for w, _ in self._crew):
                self._watch()
                self.ctx.notify.watchdog()
                time.sleep(DRAIN_POLL)
        return super()._ends(idle=idle)

    def _deal(self, batch: Batch) -> None:
        assert self._feed is not None
        tick, old, slots, event_key = batch.tick.id, self.old, self._slots, self.event_key
        overlap = tick <= old.until
        parts: list[list[Event]] = [[] for _ in range(self.cfg.workers)]
        size, capacity = 0, self._feed.capacity
        for event in batch:
            key = event_key(event)
            if overlap and old.has_done(key, tick):
                continue
            parts[slots[key]].append(event)
            size += 1
            if size > capacity:
                batch.skip()  # each worker reads this one by itself, in blocks
                self._feed.add(Window(batch.info, None, 0))
                return
        self._feed.add(Window(batch.info, parts, size))

    def _watch(self) -> None:
        """Raise when a worker has ended; forget former layouts when they are overtaken."""
        for worker, thread in self._crew:
            if not thread.is_alive():
                raise FatalStateError(worker.failure or f"worker {worker.number} has ended")
        done = min((worker.saved for worker, _ in self._crew), default=0)
        if self.old.until and done >= self.old.until:
            for number in self.old.numbers:
                api.unregister_keyed(self.db, self.cfg.queue_name, self.group_name, number)
            self.db.commit()
            log.info("%s: continued by %d workers", self._name(), self.cfg.workers)
            self.old.clear()

    def _subscribe(self) -> BatchReader:
        if self.number is None:
            self._dismiss()
            reader = super()._subscribe()
            self._engage()
            return reader
        return super()._subscribe()

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader of all events, or that of a worker."""
        cfg = self.cfg
        if self.number is None:
            reader = super().make_reader(where)
            reader.event_type = Event.bound_to(Worker.refuse)
            return reader
        keyed = KeyedReader(self.db, cfg.queue_name, cfg.consumer, **self.reader_options(where))
        keyed.consumer_class = self
        return keyed

    def _listen(self, channel: str) -> None:
        """Let only the reading thread listen: nobody would take a worker's notifications."""
        if self.number is None:
            super()._listen(channel)

    def register_now(self) -> bool:
        """Register the consumer with its workers."""
        cfg = self.cfg
        return bool(api.register_keyed(self.db, cfg.queue_name, self.group_name, cfg.workers))

    def registered(self) -> bool:
        """Tell whether the consumer, or this worker of it, is registered."""
        found = api.consumer_info(self.db, self.cfg.queue_name)
        if self.number is not None:
            return self.cfg.consumer in (info.name for info in found)
        if self.group_name not in (info.name for info in found):
            return False
        if len(positions(self.group_name, found).get(self.cfg.workers, {})) < self.cfg.workers:
            self.register_now()
            self.db.commit()
        return True

    def _auto_register(self) -> None:
        """Register the consumer; a worker alone is never registered again by itself."""
        if self.number is not None:
            raise FatalStateError(f"{self.cfg.consumer}: was unregistered while running")
        super()._auto_register()

    def _engage(self) -> None:
        """Put the reader where the last of the workers is, and start the workers."""
        cfg = self.cfg
        layouts = positions(self.group_name, api.consumer_info(self.db, cfg.queue_name))
        mine = layouts.pop(cfg.workers)
        self.old = OldLayouts(layouts)
        start = min(mine.values())
        api.register_consumer_at(self.db, cfg.queue_name, self.group_name, start)
        self.db.commit()
        # Threads that change places less often, and fewer walks of the garbage collector through
        # all events in memory: with the defaults dealing out costs twice as much.
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
        self._slots = Slots(cfg.workers)
        self._feed = Feed(cfg.workers, cfg.backlog_events)
        self._feed.begin(start)
        for number in range(cfg.workers):
            worker = self._hire(number, self._feed)
            thread = threading.Thread(target=worker.live, name=worker.cfg.consumer, daemon=True)
            self._crew.append((worker, thread))
            thread.start()

    def _hire(self, number: int, feed: Feed) -> Worker:
        name = worker_name(self.group_name, number, self.cfg.workers)
        cfg = dataclasses.replace(self.cfg, consumer_name=name)
        ctx = Context(
            job_name=self.ctx.job_name,
            metrics=self.ctx.metrics,
            notify=Notifier(),  # of its own: a worker must not speak for the process
            signals=Signals(),
            clock=self.ctx.clock,
        )
        consumer = type(self)(ctx, cfg)
        consumer.number, consumer.old, consumer.group_name = number, self.old, self.group_name
        return Worker(ctx, cfg, consumer, feed)

    def _dismiss(self) -> None:
        """Stop the workers; each finishes what it is at."""
        for worker, _ in self._crew:
            worker.ctx.signals.stop = True
            worker.ctx.signals.wake()
        if self._feed is not None:
            self._feed.close()
        for worker, thread in self._crew:
            while thread.is_alive():
                thread.join(1.0)
                self.ctx.notify.watchdog()
            worker.ctx.signals.close()
        self._crew.clear()

    def reload(self, cfg: ConsumerConfig) -> None:
        """Take a new configuration: the workers are stopped, and start with it."""
        self._dismiss()
        super().reload(cfg)
        self.group_name = cfg.consumer

    def close(self) -> None:
        """Stop the workers."""
        self._dismiss()
        super().close()
