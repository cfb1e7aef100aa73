# SPDX-License-Identifier: ISC
"""What all consumers of python3-pgq 3.x share. Source: pgq.baseconsumer."""

from __future__ import annotations

import argparse
import optparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from skytools.compat.dbscript import DBScript
from skytools.compat.names import fq_name
from skytools.compat.pgq.event import Event
from skytools.compat.pgq.meter import Meter
from skytools.compat.pgq.walker import BatchWalker, read_all
from skytools.compat.psycopgwrapper import Borrowed, Connection, DBError
from skytools.compat.quoting import quote_literal
from skytools.compat.runtime import Runtime
from skytools.core.db import Database
from skytools.core.errors import DatabaseError, UsageError
from skytools.pgq import api
from skytools.pgq.types import BatchInfo as BatchFacts

__all__ = ["BaseConsumer", "BatchInfo", "EventList"]

EventList = list[Event] | BatchWalker
BatchInfo = dict[str, Any]


class BaseConsumer(DBScript):
    """Reads a queue batch by batch; work on the source's connection commits with the batch.

    Config template::

        # queue to read from
        queue_name =

        # name of the consumer; default: job_name
        #consumer_name = %(job_name)s

        # whether to work outside transactions (needs pgq_lazy_fetch = 0)
        #pgq_autocommit = 0

        # events fetched at once; 0: the whole batch
        #pgq_lazy_fetch = 300

        # only events of these tables
        #table_filter = table1, table2

        # wait for that many events, for that much time; stay that far behind
        #pgq_batch_collect_events =
        #pgq_batch_collect_interval =
        #pgq_keep_lag =

        # how often an idle consumer says so, in seconds
        #keepalive_stats = 300
    """

    default_lazy_fetch: ClassVar[int] = 300
    switches: ClassVar[Mapping[str, str]] = {
        "register": "register the consumer on the queue and end",
        "unregister": "unregister the consumer and end",
    }
    batch_info: BatchInfo | None = None
    consumer_filter: str | None = None

    def __init__(self, service_name: str, db_name: str, args: Sequence[str]) -> None:
        self.db_name = db_name
        self._listening = ""
        self._meter: Meter | None = None
        self._retries: dict[int, int] = {}
        super().__init__(service_name, args)

    # command line and keys

    def init_optparse(self, parser: optparse.OptionParser | None = None) -> optparse.OptionParser:
        """Declare --register and the like."""
        p = super().init_optparse(parser)
        for name, text in self.switches.items():
            p.add_option(f"--{name}", action="store_true", help=text)
        return p

    def init_argparse(
        self, parser: argparse.ArgumentParser | None = None
    ) -> argparse.ArgumentParser:
        """Declare --register and the like."""
        p = super().init_argparse(parser)
        for name, text in self.switches.items():
            p.add_argument(f"--{name}", action="store_true", help=text)
        return p

    def reload(self) -> None:
        """Read the ini."""
        super().reload()
        cf = self.cf
        self.queue_name = self.pgq_queue_name = cf.get("pgq_queue_name", "") or cf.get("queue_name")
        self.consumer_name = self.pgq_consumer_id = (
            cf.get("pgq_consumer_id", "") or cf.get("consumer_name", "") or self.job_name
        )
        self.pgq_autocommit = cf.getint("pgq_autocommit", 0)
        self.pgq_lazy_fetch = cf.getint("pgq_lazy_fetch", self.default_lazy_fetch)
        self.pgq_min_count = cf.getint("pgq_batch_collect_events", 0) or None
        self.pgq_min_interval = cf.get("pgq_batch_collect_interval", "") or None
        self.pgq_min_lag = cf.get("pgq_keep_lag", "") or None
        self.keepalive_stats = cf.getint("keepalive_stats", 300)
        if self.pgq_autocommit and self.pgq_lazy_fetch:
            raise UsageError("pgq_autocommit does not work with pgq_lazy_fetch: set that to 0")
        tables = cf.getlist("table_filter", [])
        if tables:
            names = ", ".join(quote_literal(fq_name(table)) for table in tables)
            self.consumer_filter = f"ev_extra1 in ({names})"

    def start(self) -> None:
        """Do what a switch asks for and end, or run."""
        for name in self.switches:
            if getattr(self.options, name.replace("-", "_"), None):
                self.run_func_safely(self._command(name))
                self.reset()
                sys.exit(0)
        super().start()

    def _command(self, name: str) -> Callable[[], Any]:
        commands: dict[str, Callable[[], Any]] = {
            "register": self.register_consumer,
            "unregister": self.unregister_consumer,
        }
        return commands[name]

    def make_runtime(self) -> Runtime:
        """Count batches and events, as our own consumers do."""
        runtime = super().make_runtime()
        self._meter = Meter(runtime, self.queue_name, self.consumer_name, self.keepalive_stats)
        return runtime

    # the work

    def work(self) -> Any:
        """Work on one batch; true when there was one."""
        db = self.source_db()
        self.stat_start()
        self._retries = {}
        batch_id = self.next_batch(db)
        if batch_id is None:
            return self._idle()
        ev_list = self.load_events(db, batch_id)
        try:
            self.process_batch(db, batch_id, ev_list)
            self.finish_batch(db, batch_id)
            db.commit()
        except Exception:
            if self._meter:
                self._meter.failed()
            raise
        self.stat_end(len(ev_list))
        return 1

    def source_db(self) -> Connection:
        """Return the connection to the queue."""
        return self.get_database(self.db_name, autocommit=self.pgq_autocommit)

    def next_batch(self, db: Connection) -> int | None:
        """Open the next batch, or the one left open; None when there is none. Commits."""
        db.commit()  # of what a script has left open: that would end up in the batch
        info = self.load_next_batch(Borrowed(self.db_name, db))
        self.batch_info = batch_info(info) if info else None
        return info.id if info else None

    def load_next_batch(self, db: Database) -> BatchFacts | None:
        """Ask the server for the next batch."""
        return api.next_batch(
            db,
            self.queue_name,
            self.consumer_name,
            min_lag=self.pgq_min_lag,
            min_count=self.pgq_min_count,
            min_interval=self.pgq_min_interval,
        )

    def load_events(self, db: Connection, batch_id: int) -> EventList:
        """Return the events of a batch, or what reads them."""
        borrowed = Borrowed(self.db_name, db)
        if not self.pgq_lazy_fetch:
            return read_all(borrowed, batch_id, self.make_event, self.consumer_filter)
        return BatchWalker(
            borrowed, batch_id, self.make_event, self.pgq_lazy_fetch, self.consumer_filter
        )

    def make_event(self, row: Mapping[str, Any]) -> Event:
        """Return the event of a row."""
        return Event(self.queue_name, row)

    def finish_batch(self, db: Connection, batch_id: int) -> None:
        """Close the batch, not yet committed."""
        if not api.finish_batch(Borrowed(self.db_name, db), batch_id):
            self.log.warning("batch %d had been finished by another process", batch_id)

    def process_event(self, db: Connection, ev: Event) -> None:
        """Handle one event, without committing."""
        raise AssertionError(f"{type(self).__name__} must define process_event or process_batch")

    def process_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Handle a batch, without committing."""
        for ev in ev_list:
            self.process_event(db, ev)

    # registration

    def register_consumer(self) -> int:
        """Register the consumer; 1 when it is new. Commits."""
        db = self.source_db()
        new = api.register_consumer(Borrowed(self.db_name, db), self.queue_name, self.consumer_name)
        db.commit()
        text = "registered" if new else "is registered already"
        self.log.info("consumer %s %s on queue %s", self.consumer_name, text, self.queue_name)
        return int(new)

    def unregister_consumer(self) -> None:
        """Forget the consumer. Commits."""
        db = self.source_db()
        api.unregister_consumer(Borrowed(self.db_name, db), self.queue_name, self.consumer_name)
        db.commit()
        self.log.info("consumer %s unregistered", self.consumer_name)

    # counting and waiting

    def stat_start(self) -> None:
        """Begin to measure a batch."""
        self._stat_time = time.monotonic()

    def stat_end(self, count: int) -> None:
        """Note the size of a batch and how long it took."""
        duration = time.monotonic() - self._stat_time
        if self._meter:
            self._meter.finished(self.batch_info, count, len(self._retries), duration)
        if count:
            self.stat_put("count", count)
            self.stat_put("duration", round(duration, 4))

    def _idle(self) -> int:
        if self._meter and (seconds := self._meter.idle()):
            self.stat_put("idle", round(seconds, 1))
        self._listen()
        return 0

    def _listen(self) -> None:
        """Have the ticker's notification end the sleep, unless ticks are to be collected."""
        if self._listening or self.pgq_min_count or self.pgq_min_interval or self.pgq_min_lag:
            return
        db = self.source_db()
        try:
            number = api.queue_id(Borrowed(self.db_name, db), self.queue_name)
            self._listening = f"pgq_tick_{number}"
            db.commit()
            self.listen(self.db_name, self._listening)
            self.log.debug("%s listens for ticks", self.consumer_name)
        except (DBError, DatabaseError) as exc:
            db.rollback()
            self.log.debug("no notifications, looking every %g s: %s", self.loop_delay, exc)


def batch_info(info: BatchFacts) -> BatchInfo:
    """Return the dict that scripts know."""
    tick, prev = info.tick, info.prev_tick
    return {
        "batch_id": info.id,
        "cur_tick_id": tick.id,
        "prev_tick_id": prev.id,
        "cur_tick_time": tick.time,
        "prev_tick_time": prev.time,
        "cur_tick_event_seq": tick.event_seq,
        "prev_tick_event_seq": prev.event_seq,
        "tick_id": tick.id,
        "batch_end": tick.time,
        "batch_start": prev.time,
        "seq_end": tick.event_seq,
        "seq_start": prev.event_seq,
    }
