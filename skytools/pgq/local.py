# SPDX-License-Identifier: ISC
"""A consumer that keeps its position in a file of its own."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import ClassVar

from skytools.core.config import REQUIRED, DaemonConfig, option, settings
from skytools.core.errors import DatabaseError, FatalStateError, LostPosition, SkytoolsError
from skytools.core.faultpoint import reach
from skytools.pgq import api
from skytools.pgq.base import BaseConsumer
from skytools.pgq.batch import Batch, BatchReader
from skytools.pgq.config import ConsumerConfig
from skytools.pgq.types import Event

log = logging.getLogger("skytools")


@settings
class LocalConsumerConfig(ConsumerConfig):
    """Keys of a consumer that keeps its position in a file."""

    local_tracking_file: Path = option(
        REQUIRED,
        "File with the number of the last tick that was done; its folder must exist.",
        example="/var/lib/skytools/%(job_name)s.tick",
    )

    def faults(self) -> list[tuple[str, str]]:
        """Check that the position can be kept."""
        found = ConsumerConfig.faults(self)
        folder = self.local_tracking_file.parent
        try:
            fault = "" if folder.is_dir() else f"there is no folder {folder}; make it"
        except OSError as exc:
            fault = f"folder {folder} cannot be reached: {exc.strerror}"
        return [*found, ("local_tracking_file", fault)] if fault else found


class TrackingFile:
    """A tick id as decimal text, replaced as a whole and on disk before anyone relies on it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> int | None:
        """Return the tick, None without a file. Raises LostPosition when it holds none."""
        try:
            text = self.path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise SkytoolsError(f"{self.path}: {exc.strerror}") from exc
        if not text.strip().isdecimal():
            raise LostPosition(
                f"{self.path}: holds no tick; put the right one there, or --reset to take"
                " the position that the queue remembers"
            )
        return int(text)

    def write(self, tick: int) -> None:
        """Replace the file. Raises SkytoolsError, with the old one in place, when it cannot."""
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            with fresh.open("w", encoding="ascii") as file:
                file.write(f"{tick}\n")
                file.flush()
                os.fsync(file.fileno())
            reach("file-written")
            fresh.replace(self.path)
            self._sync_folder()
        except OSError as exc:
            raise SkytoolsError(f"{self.path}: cannot be written: {exc.strerror}") from exc

    def remove(self) -> None:
        """Forget the position."""
        try:
            self.path.unlink(missing_ok=True)
            self._sync_folder()
        except OSError as exc:
            raise SkytoolsError(f"{self.path}: cannot be removed: {exc.strerror}") from exc

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class LocalConsumer(BaseConsumer):
    """Trusts the position in a local file more than the queue's, and moves the queue to it.

    For work whose result lives beside that file: restored together they fit together, and a
    queue that was moved to another server is picked up at the right place. The file is written
    when the handler is done, then the batch is finished: after a crash in the handler the batch
    comes again. Events cannot be put off.
    """

    Config: ClassVar[type[DaemonConfig]] = LocalConsumerConfig
    durable = True
    ordered = True
    cfg: LocalConsumerConfig

    def process_event(self, event: Event) -> None:
        """Handle one event. An error fails the batch, which is tried again after a pause."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, batch: Batch) -> None:
        """Handle a batch: iterate over it. Override this to work on many events at once."""
        process = self.process_event
        for event in batch:
            process(event)

    @property
    def file(self) -> TrackingFile:
        """Where the position is."""
        return TrackingFile(self.cfg.local_tracking_file)

    def work(self, batch: Batch) -> None:
        """Handle a batch, note its tick in the file, finish it at the queue."""
        position = self.file.read()
        if position not in (batch.prev_tick.id, batch.tick.id):
            self.db.rollback()
            self._align()  # somebody has moved the consumer, or the file
            raise SkytoolsError(f"{self._name()}: its position was changed by somebody else")
        if position == batch.tick.id:
            batch.reader.finish(batch)
            return
        try:
            self.handle(batch, self.process_batch, self.db)
            batch.require_read()
            reach("work-done")
            self.file.write(batch.tick.id)
            reach("position-set")
            batch.reader.finish(batch)
        except FatalStateError:
            raise
        except Exception:
            self._reader = None  # compare file and queue before the next try
            raise

    def _subscribe(self) -> BatchReader:
        self.queue_id()
        self._align()
        return super()._subscribe()

    def _align(self) -> None:
        """Make file and queue agree, committed. Raises LostPosition when they cannot."""
        tick = self.file.read()
        info = api.consumer_info(self.db, self.cfg.queue_name, self.cfg.consumer)
        if tick is None:
            if info:
                self.file.write(info[0].last_tick)
        elif not info or info[0].last_tick != tick:
            if not info and not self.cfg.auto_register:
                return  # _subscribe refuses
            self._move(tick)
        self.db.commit()

    def _move(self, tick: int) -> None:
        try:
            api.register_consumer_at(self.db, self.cfg.queue_name, self.cfg.consumer, tick)
        except DatabaseError as exc:
            if self._tick_exists(tick):
                raise
            raise LostPosition(
                f"{self._name()}: {self.file.path} says tick {tick}, which the queue does not have"
                " (any more); --reset takes the position that the queue remembers"
            ) from exc
        log.warning("%s: moved to tick %d of %s", self._name(), tick, self.file.path)

    def _tick_exists(self, tick: int) -> bool:
        self.db.rollback()
        return api.tick_exists(self.db, self.cfg.queue_name, tick)

    # commands

    def register_now(self) -> bool:
        """Register at the file's tick, or at the newest one."""
        new = super().register_now()
        if new or self.file.read() is None:
            self._align()
        return new

    def unregister(self) -> None:
        """Forget the position in the file too."""
        super().unregister()
        self.file.remove()

    def rewind(self) -> None:
        """Move the consumer to the file's tick, registering it if need be."""
        tick = self.file.read()
        if tick is None:
            raise SkytoolsError(f"{self.file.path}: there is no file, so no position to go to")
        self._move(tick)
        self.db.commit()

    def reset(self) -> None:
        """Forget the file's tick: the queue's position is taken for right."""
        self.file.remove()
        self._align()

    @classmethod
    def commands(cls) -> dict[str, str]:
        """Return switch -> help of what is done instead of running."""
        return {
            **super().commands(),
            "rewind": "move the consumer to the position in local_tracking_file and end",
            "reset": "write the queue's position into local_tracking_file and end",
        }
