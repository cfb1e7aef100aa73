# SPDX-License-Identifier: ISC
"""One worker of a keyed consumer: a service loop of its own, in a thread."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from skytools.core.errors import FatalStateError, SkytoolsError
from skytools.core.faultpoint import reach
from skytools.core.service import AGAIN, Context, Daemon, Pause, Service
from skytools.pgq import api
from skytools.pgq.batch import Batch
from skytools.pgq.config import ConsumerConfig
from skytools.pgq.feed import Feed, LeftBehind, Part
from skytools.pgq.types import Event

if TYPE_CHECKING:
    from skytools.pgq.keyed import KeyedConsumer

# A worker without events tells the server where it is about this often.
SAVE_SECONDS = 2.0
WAIT_SECONDS = 0.5


class NeedsBatchError(SkytoolsError):
    """The handler wants something that only an open batch of the worker's own can do."""


class _Wish(threading.local):
    retry = False


_wish = _Wish()


class Worker(Daemon[ConsumerConfig]):
    """Takes its parts from the feed. After a failure, or when left behind, it reads by itself.

    `saved` is its position on the server, `done` the tick up to which it has nothing to do.
    """

    def __init__(
        self, ctx: Context, cfg: ConsumerConfig, consumer: KeyedConsumer, feed: Feed
    ) -> None:
        super().__init__(ctx, cfg)
        assert consumer.number is not None
        self.number = consumer.number
        self.failure = ""
        self.saved = 0
        self._consumer = consumer
        self._feed = feed
        self._done = 0
        self._alone = False
        self._saved_at = 0.0

    @property
    def done(self) -> int:
        """The tick up to which there is nothing to do."""
        return self._done

    @staticmethod
    def refuse(event: Event, seconds: int) -> None:
        """Note that the handler wants to put an event off; raises an error that says so."""
        _wish.retry = True
        raise NeedsBatchError(f"event {event.id}: to be put off for {seconds} s by its worker")

    def live(self) -> None:
        """Run the service loop until it is stopped: what the thread does."""
        if Service(self, self.ctx, lambda: self.cfg).run():
            self.failure = self.failure or f"worker {self.cfg.consumer} cannot go on"

    def step(self) -> Pause:
        """Do what the feed has for this worker."""
        try:
            return self._step()
        except FatalStateError as exc:
            self.failure = str(exc)
            raise
        except Exception:
            # Go on alone, from where the server says: the outcome of a commit may be unknown.
            self.saved = 0
            self._go_alone()
            raise

    def _go_alone(self) -> None:
        self._alone = True
        self._feed.leave(self.number, self._done)

    def _step(self) -> Pause:
        if not self.saved:
            self._look()
        if self._alone:
            return self._read_alone()
        try:
            part = self._feed.take(self.number, self._done, WAIT_SECONDS)
        except LeftBehind:
            self._alone = True
            return AGAIN
        if part is None:
            self._save()
        elif part.events:
            self._work(part)
        else:
            self._done = part.info.tick.id
            self._save()
        return AGAIN

    def _look(self) -> None:
        """Ask the server where this worker is."""
        cfg = self.cfg
        found = api.consumer_info(self._consumer.db, cfg.queue_name, cfg.consumer)
        self._consumer.db.commit()
        if not found:
            raise FatalStateError(f"{cfg.consumer}: was unregistered while running")
        self.saved = self._done = found[0].last_tick
        # An open batch was begun alone, and must be ended so.
        self._alone = self._alone or found[0].current_batch is not None

    def _work(self, part: Part) -> None:
        """Do a part in one transaction with the move to its last tick."""
        consumer = self._consumer
        consumer.db.check_lifetime()
        cfg = self.cfg
        whole = Batch(part.info, cfg.queue_name, cfg.consumer, consumer.reader)
        batch = whole.of(part.events)
        started = self.ctx.clock.monotonic()
        _wish.retry = False
        try:
            consumer.process_batch(batch)
            if _wish.retry:
                raise NeedsBatchError("the handler has swallowed the error of tag_retry")
        except NeedsBatchError:
            consumer.db.rollback()
            self._go_alone()
            return
        except Exception as exc:
            consumer.failed(batch, exc)
            raise
        reach("keyed-done")
        self._move(part.info.tick.id)
        reach("keyed-moved")
        self._done = part.info.tick.id
        consumer.stats.finished(batch, self.ctx.clock.monotonic() - started)

    def _move(self, tick: int) -> None:
        """Commit the work with the position. Raises SkytoolsError, nothing being committed."""
        cfg, db = self.cfg, self._consumer.db
        if not api.move_consumer(db, cfg.queue_name, cfg.consumer, self.saved, tick):
            raise SkytoolsError(
                f"queue {cfg.queue_name}: {cfg.consumer} was moved by somebody else;"
                " is there another process of the consumer?"
            )
        db.commit()
        self.saved = tick
        self._saved_at = self.ctx.clock.monotonic()

    def _save(self) -> None:
        """Tell the server from time to time that there was nothing to do."""
        now = self.ctx.clock.monotonic()
        if self._done > self.saved and now - self._saved_at >= SAVE_SECONDS:
            self._move(self._done)

    def _read_alone(self) -> Pause:
        """Read and work on one batch of one's own, then look whether the feed has the next."""
        if self._done > self.saved:
            self._move(self._done)
        pause = self._consumer.step()
        if self._consumer.last_tick > self._done:
            self.saved = self._done = self._consumer.last_tick
            self._feed.leave(self.number, self._done)
        elif pause is AGAIN:
            return AGAIN
        self._alone = False
        return AGAIN

    def close(self) -> None:
        """Say where we are, so that the next start has less to read."""
        if self.saved and self._done > self.saved and not self._alone:
            with contextlib.suppress(SkytoolsError):  # then it is only behind
                self._move(self._done)
